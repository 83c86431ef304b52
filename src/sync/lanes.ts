import type { Scope } from '../core/account.ts';
import { inOrder, prerequisites } from '../core/plan.ts';
import type { Stream } from '../core/stream.ts';

/**
 * Does something for every stream in every scope. Lanes (account + stream) go side by side, because each has a quota of
 * its own; a lane starts when the lanes it needs rows of have ended, and serves its scopes one after the other.
 */
export async function alongLanes(
  streams: readonly Stream[],
  scopes: readonly Scope[],
  work: (stream: Stream, scope: Scope) => Promise<void>,
): Promise<void> {
  const ordered = inOrder(streams);
  const accounts = [...new Set(scopes.map(({ account }) => account))];
  const lanes = accounts.flatMap((account) => {
    const ends = new Map<Stream, Promise<void>>();
    const mine = scopes.filter((scope) => scope.account === account);
    for (const stream of ordered) {
      const needed = prerequisites(stream).flatMap((one) => ends.get(one) ?? []);
      ends.set(
        stream,
        Promise.all(needed).then(async () => {
          for (const scope of mine) await work(stream, scope);
        }),
      );
    }
    return [...ends.values()];
  });
  const settled = await Promise.allSettled(lanes);
  for (const lane of settled) if (lane.status === 'rejected') throw lane.reason;
}
