/**
 * Does the work for all items, so many of them at a time and begun in their order. After a failure no other begins, those
 * under way are told to stop, and it is thrown once all have ended.
 */
export async function sideBySide<T>(
  items: Iterable<T>,
  width: number,
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const left = items[Symbol.iterator]();
  const lane = async () => {
    for (let next = left.next(); !next.done; next = left.next()) {
      either.throwIfAborted();
      try {
        await work(next.value, either);
      } catch (error) {
        stop.abort(error);
        throw error;
      }
    }
  };
  await Promise.allSettled(Array.from({ length: width }, lane));
  either.throwIfAborted();
}
