import { ConfigurationError } from './errors.ts';
import type { Stream } from './stream/stream.ts';
import { didYouMean } from './text.ts';

/** What must be read before a stream: its parent, and the stream whose rows split its list. */
export function prerequisites(stream: Stream): readonly Stream[] {
  return [stream.parent?.stream, stream.split?.stream].filter((needed) => needed !== undefined);
}

/**
 * The named streams (all, when none is named) with everything they need, each after what it needs. Order comes from the
 * definitions, never from numbers. Throws ConfigurationError for an unknown name.
 */
export function inOrder(streams: readonly Stream[], names: readonly string[] = []): readonly Stream[] {
  const problem = unknownStreams(streams, names);
  if (problem !== null) throw new ConfigurationError(problem);
  const ordered = new Set<Stream>();
  const visit = (stream: Stream): void => {
    for (const needed of prerequisites(stream)) if (!ordered.has(needed)) visit(needed);
    ordered.add(stream);
  };
  for (const stream of streams) if (names.length === 0 || names.includes(stream.name)) visit(stream);
  return [...ordered];
}

/** What is wrong with names of streams, or null. */
export function unknownStreams(streams: readonly Stream[], names: readonly string[]): string | null {
  const known = streams.map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length === 0) return null;
  const guesses = unknown.map((name) => `${name}${didYouMean(name, known)}`);
  return `unknown ${unknown.length === 1 ? 'stream' : 'streams'}: ${guesses.join(', ')}; there are ${known.join(', ')}`;
}

/** The stream of this name. Throws ConfigurationError for an unknown one. */
export function streamNamed(streams: readonly Stream[], name: string): Stream {
  const found = streams.find((stream) => stream.name === name);
  if (found === undefined) throw new ConfigurationError(unknownStreams(streams, [name]) ?? name);
  return found;
}

/** Requests a full walk of a quiet list needs: pages of `limit` that share five rows, and the first page once more. */
export function fullWalkRequests(rows: number, limit: number): number {
  return rows < limit ? 1 : 1 + Math.ceil((rows - limit) / (limit - 5)) + 1;
}
