import { expect, test } from 'vitest';
import { KeyCoverage, type ObservedPage, type SortKey } from '../../../src/core/walk/observed-page.ts';
import { fixed, moving, Order, SLACK_MS } from '../../../src/core/walk/order.ts';

function page(offset: number, ...keys: readonly (SortKey | undefined)[]): ObservedPage {
  const records = keys.map((key, index) => ({ key: `${offset + index}`, content: '', sort: [key] }));
  return { at: { offset, limit: 3 }, records, total: null, lastUpdateTime: null, rejects: 0 };
}

function fits(observed: ObservedPage, direction: 1 | -1 = -1): boolean {
  const order = new Order(0, moving('update_time'), direction);
  order.observe(observed, 1);
  return order.fits;
}

test('an order fits while every page is monotone in it', () => {
  expect(fits(page(0, 9, 8, 8))).toBe(true);
  expect(fits(page(0, 8, 9, 7))).toBe(false);
  expect(fits(page(0, 8, 9), 1)).toBe(true);
});

test('a row without a value refutes an order, a reject whose value cannot be read does not', () => {
  expect(fits(page(0, null))).toBe(false);
  expect(fits(page(0, 9, null))).toBe(false);
  expect(fits(page(0, 9, undefined, 8))).toBe(true);
});

test('a page without a single readable value refutes an order', () => {
  expect(fits(page(0, undefined, undefined))).toBe(false);
});

test('values of different types have no order', () => {
  expect(fits(page(0, 9, 'a'))).toBe(false);
});

test('a key is below the newest one only if the difference is larger than the tolerance of clocks', () => {
  const order = new Order(0, moving('update_time'), -1);
  expect(order.isBelow(1_000_000, 1_000_000 + SLACK_MS)).toBe(false);
  expect(order.isBelow(999_999, 1_000_000 + SLACK_MS)).toBe(true);
  expect(order.isBelow(null, 1_000_000)).toBe(false);
  expect(order.isBelow(1, null)).toBe(false);
});

const coverage = () => new KeyCoverage(new Order(0, fixed('id'), -1));

test('pages that begin strictly inside what is covered cover the key line', () => {
  const line = coverage();
  line.add(page(0, 9, 8, 7), { isLast: false });
  expect(line.joins(page(2, 8, 7, 6))).toBe(true);
  line.add(page(2, 8, 7, 6), { isLast: false });
  expect(line.whole).toBe(false);
  line.add(page(4, 7, 6, 5), { isLast: true });
  expect(line.whole).toBe(true);
});

test('a key that is only ever the last or the first of a page is not covered', () => {
  const line = coverage();
  line.add(page(0, 9, 8, 7), { isLast: false });
  expect(line.joins(page(2, 7, 6, 5))).toBe(false);
  line.add(page(2, 7, 6, 5), { isLast: true });
  expect(line.whole).toBe(false);
});

test('a gap remains until a page closes it', () => {
  const line = coverage();
  line.add(page(0, 9, 8, 7), { isLast: false });
  line.add(page(5, 4, 3), { isLast: true });
  expect(line.whole).toBe(false);
  line.add(page(2, 8, 7, 6), { isLast: false });
  expect(line.whole).toBe(false);
  line.add(page(3, 7, 5, 3), { isLast: false });
  expect(line.whole).toBe(true);
});

test('a short page covers nothing below it unless the list ends there', () => {
  const line = coverage();
  line.add(page(0, 9, 8), { isLast: false });
  expect(line.whole).toBe(false);
  line.add(page(1, 8), { isLast: true });
  expect(line.whole).toBe(false);
  line.add(page(0, 9, 8), { isLast: true });
  expect(line.whole).toBe(true);
});
