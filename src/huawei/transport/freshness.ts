import type { Clock } from '../../core/ports.ts';
import { requestIdOf, serverTimeOf } from '../requests/api-failure.ts';
import type { HttpAnswer } from './http.ts';

/** Servers behind one name agree in their clocks to a second or two; `Date` has whole seconds. */
const TOLERATED_MS = 5_000;
/** A server whose clock was set back catches up with nothing; caches hold their answers for minutes. */
const BELIEVED_AFTER_MS = 15 * 60_000;
/** At 5 requests a minute for each of eight lists, the ids of more than an hour. */
const MOST_IDS = 4_096;

interface Newest {
  readonly serverTime: number;
  /** When that answer came, by our clock. */
  readonly at: number;
}

/**
 * Tells answers of now from old ones. An answer was given before it was asked for when it says so (`Age`, RFC 9111,
 * 5.1), when its `Date` lies before one that was received before it was asked for, or when it repeats the request id of
 * an earlier answer together with its body, as caches do that keep no `Date`.
 */
export class Freshness {
  readonly #clock: Clock;
  /** By service: each has servers of its own. */
  readonly #newest = new Map<string, Newest>();
  /** Request ids, oldest first, with a sample of the body. */
  readonly #ids = new Map<string, string>();
  /** Some server repeats its ids with other answers, so a repeated one says nothing there. */
  #idsAreUnique = true;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Called before a request is sent; what it returns judges the answer. */
  expect(service: string): (answer: HttpAnswer) => boolean {
    const floor = this.#newest.get(service) ?? null;
    return (answer) => {
      const goesBack = this.#goesBack(service, serverTimeOf(answer.headers), floor);
      const isRepeated = this.#isRepeated(answer);
      return isAged(answer) || goesBack || isRepeated;
    };
  }

  #goesBack(service: string, serverTime: number | null, floor: Newest | null): boolean {
    if (serverTime === null) return false;
    const at = this.#clock.now();
    // By our clock as well: one machine whose clock is set back may carry both sides.
    const back =
      floor === null ? 0 : Math.min(floor.serverTime - serverTime, floor.serverTime - serverTime + at - floor.at);
    const isBehind = back > TOLERATED_MS;
    const isStuck = floor !== null && Math.abs(at - floor.at) > BELIEVED_AFTER_MS;
    const newest = this.#newest.get(service)?.serverTime ?? serverTime;
    if (serverTime >= newest || (isBehind && isStuck)) this.#newest.set(service, { serverTime, at });
    return isBehind && !isStuck;
  }

  #isRepeated(answer: HttpAnswer): boolean {
    const id = requestIdOf(answer);
    if (id === null || !this.#idsAreUnique) return false;
    const sample = sampleOf(answer.text);
    const before = this.#ids.get(id);
    if (before !== undefined && before !== sample) this.#idsAreUnique = false;
    this.#ids.set(id, sample);
    if (this.#ids.size > MOST_IDS) {
      const [oldest = ''] = this.#ids.keys();
      this.#ids.delete(oldest);
    }
    return before === sample;
  }
}

function isAged({ headers }: HttpAnswer): boolean {
  const age = Number(headers.age ?? 0);
  return Number.isFinite(age) && age > 0;
}

const SAMPLES = 64;

/** Not a hash: two bodies of one length that differ in few places may share it, and no claim rests on it. */
function sampleOf(text: string): string {
  const step = Math.max(1, Math.floor(text.length / SAMPLES));
  let sample = `${text.length} `;
  for (let index = 0; index < text.length; index += step) sample += text[index];
  return sample;
}
