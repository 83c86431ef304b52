import { ConfigurationError } from './errors.ts';
import type { Stream } from './stream.ts';

/** What must be read before a stream: its parent, and the stream whose rows split its list. */
export function prerequisites(stream: Stream): readonly Stream[] {
  return [stream.parent?.stream, stream.split?.stream].filter((needed) => needed !== undefined);
}

/**
 * The named streams (all, when none is named) with everything they need, each after what it needs. Order comes from the
 * definitions, never from numbers. Throws ConfigurationError for an unknown name.
 */
export function inOrder(streams: readonly Stream[], names: readonly string[] = []): readonly Stream[] {
  const unknown = names.filter((name) => !streams.some((stream) => stream.name === name));
  if (unknown.length > 0) {
    throw new ConfigurationError(
      `unknown stream: ${unknown.join(', ')}; there are ${streams.map(({ name }) => name).join(', ')}`,
    );
  }
  const ordered = new Set<Stream>();
  const visit = (stream: Stream): void => {
    for (const needed of prerequisites(stream)) if (!ordered.has(needed)) visit(needed);
    ordered.add(stream);
  };
  for (const stream of streams) if (names.length === 0 || names.includes(stream.name)) visit(stream);
  return [...ordered];
}

/** Requests a full walk of a quiet list needs: pages of `limit` that share five rows, and one look back at the first. */
export function fullWalkRequests(rows: number, limit: number): number {
  return rows < limit ? 1 : 1 + Math.ceil((rows - limit) / (limit - 5)) + 1;
}
