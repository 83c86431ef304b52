import type { Checkpoint } from '../store.ts';
import type { ObservedPage } from './observed-page.ts';
import { type Order, SLACK_MS } from './order.ts';

/** Rows later than half of this are beyond what a poll reads for: then only full walks find every change. */
const MOST_SLACK_MS = 60 * 60_000;

/** A full walk without late rows divides the remembered lateness by this, so that one late row is forgotten within a day. */
const FADING = 4;

/**
 * How late changes reach a list, measured on the list itself. The premise of every proof by a moving order is that a change
 * is stamped at most `SLACK_MS` below what was newest before it. A new or changed row further down refutes that for this
 * list: the slack becomes twice the lateness that was seen, up to an hour, and is remembered in the checkpoint.
 */
export class Lateness {
  readonly #orders: readonly Order[];
  readonly #before: number;
  /** Newest keys of the checkpoint, for the orders under which every change shows. */
  #bars: ReadonlyMap<Order, number> = new Map();
  #seenMs = 0;

  /** `beforeMs`: the lateness remembered of earlier walks, in ms; 0 where none was seen. */
  constructor(orders: readonly Order[], beforeMs: number) {
    this.#orders = orders;
    this.#before = beforeMs;
    this.#apply();
  }

  /** Greatest lateness known of the list, in ms; 0 while every change came within `SLACK_MS`. */
  get ms(): number {
    return Math.max(this.#before, this.#seenMs);
  }

  /** Changes come so late that no poll of the newest end can be trusted to find them. */
  get isBeyondPolls(): boolean {
    return 2 * this.ms > MOST_SLACK_MS;
  }

  /** From now on, new and moved rows are held against the newest keys of the checkpoint. */
  compareWith(checkpoint: Checkpoint, orders: readonly Order[]): void {
    const newest = new Map(checkpoint.orders.map(({ name, newest: key }) => [name, key]));
    const bars = orders.flatMap((order) => {
      const bar = newest.get(order.name);
      return bar === null || bar === undefined ? [] : [[order, bar] as const];
    });
    this.#bars = new Map(bars);
  }

  /** Measures the rows of a page that the table did not have, or had with an older time. */
  observe(observed: ObservedPage): void {
    const { changed } = observed;
    if (changed === undefined || changed.size === 0) return;
    for (const [order, bar] of this.#bars) {
      for (const { key, sort } of observed.records) {
        const change = key === null ? undefined : changed.get(key);
        const time = sort[order.index];
        if ((change !== 'new' && change !== 'moved') || typeof time !== 'number') continue;
        if (bar - time > SLACK_MS) this.#seenMs = Math.max(this.#seenMs, bar - time);
      }
    }
    this.#apply();
  }

  /** What the next walk is to know, in ms: a full walk that saw no late row lets the memory fade. */
  remembered(isFull: boolean): number {
    const before = isFull ? Math.floor(this.#before / FADING) : this.#before;
    const ms = Math.max(this.#seenMs, before);
    return ms > SLACK_MS / 2 ? ms : 0;
  }

  #apply(): void {
    const slackMs = Math.min(Math.max(SLACK_MS, 2 * this.ms), MOST_SLACK_MS);
    for (const order of this.#orders) order.slackMs = slackMs;
  }
}
