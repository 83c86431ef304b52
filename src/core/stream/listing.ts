import type { Stream } from './stream.ts';
import { zoneOf } from './time-zone.ts';

/** One list to read to its end: the values its endpoint needs, in their stored spelling. */
export interface Listing {
  readonly params: Readonly<Record<string, string>>;
  /** Canonical text of the parameters: what `sync.listings` knows it by. Empty for the one list of a scope. */
  readonly key: string;
  /** Likely to change, so it is asked for before the others. */
  readonly hot?: boolean;
  /** Zone of its times that name none, where its parent knows one: an IANA name or an offset. */
  readonly timeZone?: string;
}

export function listing(params: Readonly<Record<string, string>> = {}, hot = false): Listing {
  const key = Object.keys(params)
    .sort()
    .map((name) => `${name}=${encodeURIComponent(params[name] ?? '')}`)
    .join('&');
  return hot ? { params, key, hot } : { params, key };
}

/** What a listing takes from its parent's zone: nothing where the parent says none that is known. */
export function inZone(text: unknown): Pick<Listing, 'timeZone'> {
  const timeZone = zoneOf(text);
  return timeZone === null ? {} : { timeZone };
}

/** A part of a listing that is too long for its cap: the same list, filtered. */
export function part(whole: Listing, parameter: string, value: string): Listing {
  return listing({ ...whole.params, [parameter]: value });
}

/** The listings a stream has without a parent: the one list of a scope, or one per fixed combination. */
export function fixedListings(stream: Stream): readonly Listing[] {
  return (stream.listings.length === 0 ? [{}] : stream.listings).map((params) => listing(params, true));
}
