import type { At, Paging } from '../stream/paging.ts';

/** How a list can be cut: the page that contains the row at `offset`, starts at most there and reaches furthest. */
export interface PageGrid {
  /** Rows a page can have. */
  readonly limit: number;
  at(offset: number): At;
}

export function gridOf({ kind, limit }: Pick<Paging, 'kind' | 'limit'>): PageGrid {
  if (kind === 'whole') return { limit, at: () => ({ offset: 0, limit }) };
  return kind === 'offset' ? offsetGrid(limit) : numberedGrid(limit);
}

/** Lists that take any offset. */
export function offsetGrid(limit: number): PageGrid {
  return { limit, at: (offset) => ({ offset: Math.max(0, offset), limit }) };
}

/**
 * Lists of numbered pages start only at multiples of the page size, so pages of one size cannot overlap. But the size may
 * differ from request to request: page 2 of size 95 begins 5 rows before page 1 of size 100 ends. So the size is chosen
 * that begins at or before the wanted row and reaches furthest; a thousand rows cost 11 requests, where a second pass at
 * another size (rejected) costs 23 and leaves coinciding boundaries uncovered. Where a server answers an odd size with
 * another one, its pages do not join and nothing is claimed.
 */
export function numberedGrid(limit: number): PageGrid {
  return {
    limit,
    at(offset) {
      let best = { offset: 0, limit };
      for (let size = limit; offset > 0 && size > 0 && size > limit / 2; size -= 1) {
        const start = Math.floor(offset / size) * size;
        if (start + size > best.offset + best.limit) best = { offset: start, limit: size };
      }
      return best;
    },
  };
}
