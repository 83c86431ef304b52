import { describe, expect, test } from 'vitest';
import { fixed } from '../../../src/core/walk/order.ts';
import { WalkState } from '../../../src/core/walk/walk-state.ts';
import { walkFor } from '../../../src/sync/run/walk-listing.ts';
import { drive, HandList, hours } from './hand-list.ts';

const ORDER = [fixed('at')];
const row = (place: number, key = `k${place}`, content = 'c') => ({ key, content, sort: [hours(-place)] });
const rows = (count: number) => Array.from({ length: count }, (_, place) => row(place));

function walk(list: HandList, kind: 'offset' | 'page' = 'offset', walkState = new WalkState(ORDER)) {
  const options = { limit: 100, cap: null, orders: ORDER, wholeRefused: true };
  const { certificate } = drive(walkFor(kind, options, walkState), list);
  return certificate.kind === 'complete' ? certificate.proof : certificate.reason;
}

describe.each([
  ['sorted', -1],
  ['unsorted', null],
] as const)('a list that stands still, %s', (_, direction) => {
  test('proves nothing if two records of a page have the same key and different content', () => {
    const list = new HandList(rows(50).with(7, row(7, 'k6', 'd')), direction);
    expect(walk(list)).toBe('key');
  });

  test('proves nothing if two records of different pages have the same key and different content', () => {
    expect(walk(new HandList(rows(450).with(350, row(350, 'k6', 'd')), direction))).toBe('key');
    expect(walk(new HandList(rows(450).with(350, row(350, 'k6', 'd')), direction), 'page')).toBe('key');
  });

  test('is proven if a record is twice on one page with the same content', () => {
    expect(walk(new HandList(rows(50).with(7, row(7, 'k6')), direction))).toBe('atomic');
  });
});

test('two records with one key are the reason, even if the count is one row less and the list counts as moved', () => {
  const list = new HandList([row(0), row(0, 'k0', 'd')], -1);
  list.total = 1;
  expect(walk(list)).toBe('key');
});

test('a list without a count is read again only if a key had two contents', () => {
  const list = new HandList(rows(450), -1);
  list.total = null;
  expect(walk(list)).toBe('order');
  const once = list.requests;
  const doubled = new HandList(rows(450).with(350, row(350, 'k6', 'd')), -1);
  doubled.total = null;
  expect(walk(doubled)).toBe('key');
  expect(doubled.requests).toBeGreaterThan(once);
});

test('a row that changed between two pages of a list that moved says nothing about its key', () => {
  const list = new HandList(rows(450), -1);
  list.evade = (from) => {
    if (from > 200 && list.rows.some(({ content }) => content === 'c')) list.put(row(440.5, 'k6', 'd'));
  };
  expect(walk(list)).not.toBe('key');
});

test('a suspect response does not show that a key is not unique', () => {
  const list = new HandList(rows(50).with(7, row(7, 'k6', 'd')), -1);
  list.answer = (observed) => ({ ...observed, suspect: 'old-answer' });
  expect(walk(list)).toBe('old-answer');
});
