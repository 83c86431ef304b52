import type { Scope } from '../core/account.ts';
import { type Certificate, gravest, type Reason } from '../core/certificate.ts';
import { part } from '../core/listing.ts';
import type { PageSource } from '../core/ports.ts';
import type { Store } from '../core/store.ts';
import { sideBySide } from './side-by-side.ts';
import { valuesNow } from './values-now.ts';
import { type ListingResult, type ListingWalk, walkListing } from './walk-listing.ts';

/** Parts read at a time where requests are plentiful: one is read while Postgres takes the rows of another. */
const WIDTH = 2;

/**
 * A list longer than the API shows of it is read in parts: one for every value of an immutable column that any of its rows
 * can have. The parts are all of it only if the values are all there are: they are asked for anew, and a value on the
 * list's own first or last page that nobody knows of, or a row without one, leaves the list capped (docs/decisions.md D2).
 */
export async function splitListing(
  { source, store }: { readonly source: PageSource; readonly store: Store },
  scope: Scope,
  whole: ListingWalk,
  unsplit: ListingResult,
): Promise<Certificate> {
  const { stream, listing, load, signal } = whole;
  const began = whole.now();
  const { split } = stream;
  if (split === undefined) return unsplit.certificate;
  const parameter = split.parameter;
  const certified = await store.isCertified(split.stream, scope);
  const current = certified ? await valuesNow(source, store, scope, split, whole) : null;
  const listed = [...(await store.liveValues(split.stream, scope, split.column)), ...(current ?? [])];
  const before = new Set([...(await load.valuesOf(parameter, 'before')), ...listed]);
  const known = new Set([...(await load.valuesOf(parameter, 'ever')), ...listed]);
  const states = await load.states();
  // Of each part only what it came to: its sample of rows, times hundreds of parts, would be most of the memory of a run.
  const read: Pick<ListingResult, 'certificate' | 'walk' | 'showsAll'>[] = [];
  await sideBySide([...known].sort(), whole.reader.isPlentiful ? WIDTH : 1, async (value) => {
    signal.throwIfAborted();
    const piece = part(listing, parameter, value);
    const state = states.get(piece.key) ?? null;
    const origin = { ...whole.origin, params: piece.params };
    const { certificate, walk, showsAll } = await walkListing({ ...whole, listing: piece, state, origin });
    read.push({ certificate, walk, showsAll });
  });
  const parts = read.map(({ certificate }) => certificate);
  const stray = unsplit.sample.some((row) => {
    const value = row[parameter];
    return typeof value !== 'string' || !before.has(value);
  });
  const evidence = {
    ...unsplit.certificate.evidence,
    distinct: parts.reduce((sum, { evidence: one }) => sum + one.distinct, 0),
    rejects: parts.reduce((sum, { evidence: one }) => sum + one.rejects, 0),
    requests: parts.reduce((sum, { evidence: one }) => sum + one.requests, unsplit.certificate.evidence.requests),
    parts: parts.length,
  };
  const reasons: Reason[] = parts.flatMap((one) => (one.kind === 'incomplete' ? [one.reason] : []));
  if (unsplit.suspect !== null) reasons.push(unsplit.suspect);
  if (stray || current === null || parts.length === 0) reasons.push('capped');
  const reason = gravest(reasons);
  const certificate: Certificate =
    reason === null ? { kind: 'complete', proof: 'split', evidence } : { kind: 'incomplete', reason, evidence };
  // Parts that were only looked at stand on older readings, and so does the whole: its certificate is repeated, not renewed.
  const renewed = whole.mode === 'full' || read.every(({ walk }) => walk === 'full');
  if (certificate.kind === 'incomplete' || renewed) {
    const tookMs = whole.now() - began;
    return load.conclude({ listing, certificate, checkpoint: unsplit.checkpoint, sweep: null, tookMs });
  }
  const contentForMs = read.every(({ showsAll }) => showsAll) ? whole.now() - began : null;
  await load.visited(listing, { hint: null, checkpoint: unsplit.checkpoint, contentForMs });
  return certificate;
}
