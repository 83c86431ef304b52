import type { Scope } from '../../core/account.ts';
import type { Listing } from '../../core/stream/endpoint.ts';
import { inOrder, type Stream } from '../../core/stream/stream.ts';
import type { TableReader } from '../../core/verify.ts';
import { alongLanes, type StreamsAndScopes, type SyncOptions } from '../once/sync-once.ts';
import type { Engine } from '../run/run-stream.ts';
import { type Verification, type VerifyOptions, verifyStream } from './verify-stream.ts';

export interface VerifyAllOptions extends Pick<SyncOptions, 'signal' | 'watch'>, Pick<VerifyOptions, 'keep'> {
  readonly onVerified?: (verification: Verification) => void;
}

/** Compares every stream in every scope with what the API lists now; parents first, because they name further lists. */
export async function verifyAll(
  { engine, tables }: { readonly engine: Engine; readonly tables: TableReader },
  { streams, scopes }: StreamsAndScopes,
  { signal, watch, keep, onVerified }: VerifyAllOptions,
): Promise<readonly Verification[]> {
  const ordered = inOrder(streams);
  const results: Verification[] = [];
  const proven = new Set<string>();
  const named = new Map<string, Map<string, Listing>>();
  const nameOf = (stream: Stream, scope: Scope) => `${scope.projectId}/${stream.name}`;
  const listsOf = (stream: Stream, scope: Scope) => {
    const lists = named.get(nameOf(stream, scope)) ?? new Map<string, Listing>();
    named.set(nameOf(stream, scope), lists);
    return lists;
  };
  await alongLanes(ordered, scopes, async (stream, scope) => {
    const children = ordered.flatMap((child) =>
      child.parent?.stream === stream ? [{ parent: child.parent, lists: listsOf(child, scope) }] : [],
    );
    const { parent } = stream;
    const verification = await verifyStream(
      engine,
      { stream, scope },
      {
        ...{
          tables,
          lists: [...listsOf(stream, scope).values()],
          parentProven: parent === undefined || proven.has(nameOf(parent.stream, scope)),
          children,
        },
        ...{ signal, keep, ...watch?.(stream, scope) },
      },
    );
    if (verification.certificate === 'complete') proven.add(nameOf(stream, scope));
    onVerified?.(verification);
    results.push(verification);
  });
  return results;
}
