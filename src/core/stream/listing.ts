import type { PageParams } from './paging.ts';
import type { Parent, Stream } from './stream.ts';
import { zoneOf } from './time-zone.ts';
import type { Span } from './window.ts';

/** One list to read to its end: the values its endpoint needs, in their stored spelling. */
export interface Listing {
  readonly params: Readonly<Record<string, string>>;
  /** Canonical text of the parameters: what `sync.listings` knows it by. Empty for the one list of a scope. */
  readonly key: string;
  /** Likely to change, so it is asked for before the others. */
  readonly hot?: boolean;
  /** Zone of its times that name none, where its parent knows one: an IANA name or an offset. */
  readonly timeZone?: string;
  /** The part of its time that is asked for, where the list is read window by window. */
  readonly window?: ListingWindow;
}

/** One window of a list. */
export interface ListingWindow {
  /** Column that the API filters by. */
  readonly column: string;
  /** What belongs to it, in ms: rows from `begin` on and before `end`. Others of the answer belong to its neighbours. */
  readonly rows: Span;
  /** What is asked for: more than that, whether the API takes a time at an end for inside or not. */
  readonly asked: Span;
  /** `asked` as parameters of the request. */
  readonly params: PageParams;
  /** A row further outside of `asked` than that, in ms, shows that the answer is to another question. */
  readonly toleranceMs: number;
  /** Zone of times that name none. */
  readonly timeZone: string;
  /** Rows from this time on may be missed, in ms; what is older may have aged out. */
  readonly missedFrom: number;
  /** No document says how long the API keeps rows: one that is missing and older than all that are listed may have aged out. */
  readonly mayAgeOut: boolean;
  /** It can be read in halves. */
  readonly canBeHalved: boolean;
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

/** Names of the parameters that each listing of the stream has. */
export function parametersOf({ parent, listings }: Stream): readonly string[] {
  return [...Object.keys(parent?.params ?? {}), ...constantsOf({ parent, listings })];
}

/** Names of the parameters whose values are written down: those in which the lists of a stream, or of a parent row, differ. */
export function constantsOf({
  parent,
  listings,
}: Pick<Stream, 'listings'> & { parent?: Parent | undefined }): readonly string[] {
  return Object.keys((parent === undefined ? listings : (parent.listings ?? []))[0] ?? {});
}

/** The listings of one parent row, from the values of the parameters that it names. */
export function listingsUnder({ listings = [{}] }: Parent, values: Listing['params'], hot = false): readonly Listing[] {
  return listings.map((constants) => listing({ ...values, ...constants }, hot));
}

/** A part of a listing that is too long for its cap: the same list, filtered. */
export function part(whole: Listing, parameter: string, value: string): Listing {
  return listing({ ...whole.params, [parameter]: value });
}

/** The listings a stream has without a parent: the one list of a scope, or one per fixed combination. */
export function fixedListings(stream: Stream): readonly Listing[] {
  return (stream.listings.length === 0 ? [{}] : stream.listings).map((params) => listing(params, true));
}
