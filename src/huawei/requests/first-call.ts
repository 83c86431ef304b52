/** Ends a call's stay at the gate; exactly once. */
export interface Pass {
  /** No other unproven call runs beside this one. */
  readonly alone: boolean;
  /** No other call has reported a refusal since this one entered: of many calls refused at once only one counts. */
  refuse(): boolean;
  /** These credentials work: all waiting calls may go at once. */
  prove(fingerprint: string): void;
  leave(): void;
}

export interface Entry {
  readonly fingerprint: string;
  /** This call also has to fetch a token; asked again after every wait, as another call may have fetched it. */
  readonly mustGoAlone: () => boolean;
  readonly signal: AbortSignal;
}

/**
 * Lets an account's first call go alone. An access key is locked for 5 minutes after 5 failures in a row (OCR FAQ of
 * Huawei Cloud, "APIG.0301"), and one process starts with more lanes than that: a wrong key must cost one request.
 */
export class FirstCallGate {
  #proven: string | null = null;
  #refusals = 0;
  #holder: Promise<void> | null = null;

  /** Waits until the credentials are proven or no call is trying them. */
  async enter({ fingerprint, mustGoAlone, signal }: Entry): Promise<Pass> {
    while (this.#proven !== fingerprint || mustGoAlone()) {
      signal.throwIfAborted();
      if (this.#holder === null) return this.#take();
      await abortable(this.#holder, signal);
    }
    return this.#pass(null);
  }

  /** The credentials were refused elsewhere, or were suspended until now: the next call goes alone again. */
  close(): void {
    this.#proven = null;
  }

  #take(): Pass {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#holder = promise;
    return this.#pass(resolve);
  }

  #pass(release: (() => void) | null): Pass {
    const refusals = this.#refusals;
    return {
      alone: release !== null,
      refuse: () => {
        if (this.#refusals !== refusals) return false;
        this.#refusals += 1;
        this.#proven = null;
        return true;
      },
      prove: (fingerprint) => {
        // A call that was under way when another was refused proves nothing about now.
        if (this.#refusals === refusals) this.#proven = fingerprint;
      },
      leave: () => {
        if (release === null) return;
        this.#holder = null;
        release();
      },
    };
  }
}

async function abortable(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
