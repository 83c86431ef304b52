import { describe, expect, test } from 'vitest';
import { NO_EVIDENCE } from '../../src/core/certificate.ts';
import type { DuePolicy } from '../../src/core/due.ts';
import type { ListingState } from '../../src/core/store.ts';
import { listing } from '../../src/core/stream/endpoint.ts';
import { timeWindow } from '../../src/core/stream/time.ts';
import {
  combineWindows,
  modeOfWindow,
  type PlannedWindow,
  planWindows,
  type WindowPolicy,
} from '../../src/core/windows.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOW = Date.UTC(2026, 10, 28, 12, 0, 30);
const WINDOW = timeWindow({ begin: 'begin', end: 'end', unit: 'ms', column: 'seen', maxDays: 30, margin: '1h' });

function policy(more: Partial<WindowPolicy> = {}): WindowPolicy {
  return { window: WINDOW, appendOnly: false, limit: 200, now: NOW, sinceMs: 90 * DAY, timeZone: 'UTC', ...more };
}

function state(more: Partial<ListingState> = {}): ListingState {
  return {
    certificate: 'complete',
    reason: null,
    certifiedAt: new Date(NOW),
    certifiedSince: new Date(NOW),
    proof: 'order',
    contentAt: new Date(NOW),
    evidence: { ...NO_EVIDENCE, requests: 7, distinct: 10 },
    checkpoint: { total: 10, lastUpdateTime: null, firstPage: null, orders: [] },
    enterpriseProjectId: 'all_granted_eps',
    certifiedUnder: 'all_granted_eps',
    walkedAt: new Date(NOW),
    failedAt: null,
    changedAt: null,
    hint: null,
    ...more,
  };
}

const CAPPED = state({ certificate: 'incomplete', reason: 'capped', certifiedAt: null });
const spans = (windows: readonly PlannedWindow[]) =>
  windows.map(({ listing: { key } }) => key.replace('window=', '').replaceAll('2026-', ''));
const first = planWindows(listing(), new Map(), policy());
const remembered = (one: ListingState = state(), windows = first.windows) =>
  new Map(windows.map(({ listing: { key } }) => [key, one]));

/** Every time since the earliest one lies in one window, and in one only. */
function expectWhole(windows: readonly PlannedWindow[], earliest: number): void {
  const rows = windows.map((one) => one.listing.window.rows);
  for (const [index, { end, begin }] of rows.entries()) {
    expect(end).toBeGreaterThan(begin);
    if (index > 0) expect(end).toBe(rows[index - 1]?.begin);
  }
  expect(rows.at(-1)?.begin ?? NOW).toBeLessThanOrEqual(earliest);
}

describe('the windows of a list that was never read', () => {
  test('reach back ninety days without a gap, each no longer than one request may span', () => {
    expect(spans(first.windows)).toEqual([
      '11-28T10:45Z/',
      '10-30T01:00Z/11-28T10:45Z',
      '09-30T15:15Z/10-30T01:00Z',
      '09-01T05:30Z/09-30T15:15Z',
      '08-30T12:00Z/09-01T05:30Z',
    ]);
    expectWhole(first.windows, NOW - 90 * DAY);
    for (const { listing: one } of first.windows) {
      expect(one.window.asked.end - one.window.asked.begin).toBeLessThanOrEqual(30 * DAY);
    }
  });

  test('reach back no further than the list goes, nor than is configured', () => {
    const kept = { ...WINDOW, keepMs: 7 * DAY };
    expect(planWindows(listing(), new Map(), policy({ window: kept })).windows).toHaveLength(2);
    const short = planWindows(listing(), new Map(), policy({ sinceMs: 2 * HOUR })).windows;
    expect(spans(short)).toEqual(['11-28T10:45Z/', '11-28T10:00Z/11-28T10:45Z']);
  });

  test('are requested with one second more on both sides, because an API may exclude the bounds', () => {
    const [newest, closed] = first.windows;
    const at = (time: string) => Date.parse(`2026-${time}Z`);
    expect(closed?.listing.window.asked).toEqual({ begin: at('10-30T00:59:59'), end: at('11-28T10:45:01') });
    expect(closed?.listing.window.rows).toEqual({ begin: at('10-30T01:00:00'), end: at('11-28T10:45:00') });
    // An API may refuse an end that lies ahead of its clock.
    expect(newest?.listing.window.asked).toEqual({ begin: at('11-28T10:44:59'), end: at('11-28T12:00:20') });
  });

  test('in times without zone begin and end outside the hour that is shown twice, because a bound in it has two meanings', () => {
    // In Berlin, 02:00 to 03:00 of this day is 00:00 to 01:00 UTC and again 01:00 to 02:00 UTC.
    const at = (time: string) => Date.parse(`2026-10-25T${time}Z`);
    const text = timeWindow({ begin: 'begin', end: 'end', unit: 'text', column: 'seen' });
    const windowsAt = (now: number) =>
      planWindows(listing(), new Map(), policy({ window: text, now, timeZone: 'Europe/Berlin' })).windows;
    const [newest, closed] = windowsAt(at('02:30:00')).map(({ listing: one }) => one.window);
    expect(newest?.rows.begin, 'a bound in the second of the two').toBe(at('01:15:00'));
    expect(newest?.params.query).toEqual({ begin: '2026-10-25 01:44:59', end: '2026-10-25 03:29:50' });
    expect(closed?.params.query).toMatchObject({ end: '2026-10-25 03:15:01' });
    expect(closed?.rows.end).toBe(at('01:15:00'));
    const [meanwhile] = windowsAt(at('01:30:00')).map(({ listing: one }) => one.window);
    expect(meanwhile?.asked.end, 'no end in the future').toBe(at('01:29:50'));
    expect(meanwhile?.rows.end, 'rows after the first of the two times may not be listed').toBe(at('00:29:50'));
  });

  test('never ask for a time before the list begins, and never miss a row in its last day', () => {
    const kept = { ...WINDOW, keepMs: 30 * DAY };
    const oldest = planWindows(listing(), new Map(), policy({ window: kept })).windows.at(-1)?.listing.window;
    expect(oldest?.asked.begin).toBe(NOW - 30 * DAY - 30_000 + 30_000);
    expect(oldest?.missedFrom).toBe(NOW - 29 * DAY);
    expect(oldest?.mayAgeOut).toBe(false);
    expect(first.windows.every((one) => one.listing.window.mayAgeOut)).toBe(true);
  });

  test('carry the parameters of their list, and its key before their own', () => {
    const [newest] = planWindows(listing({ category: 'host' }), new Map(), policy()).windows;
    expect(newest?.listing.key).toBe('category=host&window=2026-11-28T10:45Z/');
    expect(newest?.listing.params).toEqual({ category: 'host' });
  });
});

describe('the windows of a list that was read', () => {
  test('stay the same from run to run, also after a run that was interrupted', () => {
    const later = policy({ now: NOW + 5 * HOUR });
    expect(spans(planWindows(listing(), remembered(), later).windows)).toEqual(spans(first.windows));
    const broken = remembered(state(), first.windows.slice(0, 2));
    expect(spans(planWindows(listing(), broken, policy({ now: NOW + 60_000 })).windows).slice(0, 4)).toEqual(
      spans(first.windows).slice(0, 4),
    );
  });

  test('close the newest window when it is long enough and no late rows can arrive in it', () => {
    const days = policy({ appendOnly: true, now: NOW + DAY - 60_000 });
    expect(spans(planWindows(listing(), remembered(), days).windows)[0]).toBe('11-28T10:45Z/');
    const over = planWindows(listing(), remembered(), { ...days, now: NOW + DAY });
    expect(spans(over.windows).slice(0, 2)).toEqual(['11-29T10:45Z/', '11-28T10:45Z/11-29T10:45Z']);
    expect(over.outdated).toEqual(['window=2026-11-28T10:45Z/']);
    expectWhole(over.windows, NOW + DAY - 90 * DAY);
    // Where rows change, all windows are read again anyway, and long ones cost less.
    const changing = policy({ now: NOW + 20 * DAY });
    expect(spans(planWindows(listing(), remembered(), changing).windows)[0]).toBe('11-28T10:45Z/');
  });

  test('close the newest window of a list whose rows change before it exceeds a page, but at most once an hour', () => {
    const full = state({ checkpoint: { total: 120, lastUpdateTime: null, firstPage: null, orders: [] } });
    const at = (hours: number) =>
      spans(planWindows(listing(), remembered(full), policy({ now: NOW + hours * HOUR })).windows)[0];
    expect(at(0.9)).toBe('11-28T10:45Z/');
    expect(at(1)).toBe('11-28T11:45Z/');
    const grows = policy({ now: NOW + 2 * HOUR, appendOnly: true });
    expect(spans(planWindows(listing(), remembered(full), grows).windows)[0]).toBe('11-28T10:45Z/');
  });

  test('omit windows that are older than `since`, and delete them', () => {
    const later = planWindows(listing(), remembered(), policy({ now: NOW + 3 * DAY }));
    expect(spans(later.windows)).toEqual(spans(first.windows).slice(0, 4));
    expect(later.outdated).toEqual(['window=2026-08-30T12:00Z/2026-09-01T05:30Z']);
  });

  test('cover the whole time again after the service was stopped for two months, and if `since` is extended', () => {
    const after = policy({ now: NOW + 60 * DAY });
    expectWhole(planWindows(listing(), remembered(), after).windows, NOW - 30 * DAY);
    const more = planWindows(listing(), remembered(), policy({ sinceMs: 180 * DAY })).windows;
    expect(spans(more).slice(0, 5)).toEqual(spans(first.windows));
    expectWhole(more, NOW - 180 * DAY);
  });
});

describe('a window with more rows than the API shows', () => {
  const known = remembered();
  const long = 'window=2026-10-30T01:00Z/2026-11-28T10:45Z';

  test('is read in halves from then on, and a half that is too long in halves of its own', () => {
    known.set(long, CAPPED);
    const halves = planWindows(listing(), known, policy());
    expect(spans(halves.windows).slice(0, 4)).toEqual([
      '11-28T10:45Z/',
      '11-13T17:52Z/11-28T10:45Z',
      '10-30T01:00Z/11-13T17:52Z',
      '09-30T15:15Z/10-30T01:00Z',
    ]);
    expect(halves.outdated).toEqual([]);
    known.set('window=2026-11-13T17:52Z/2026-11-28T10:45Z', state());
    known.set('window=2026-10-30T01:00Z/2026-11-13T17:52Z', CAPPED);
    const quarters = planWindows(listing(), known, policy()).windows;
    expect(spans(quarters).slice(1, 4)).toEqual([
      '11-13T17:52Z/11-28T10:45Z',
      '11-06T09:26Z/11-13T17:52Z',
      '10-30T01:00Z/11-06T09:26Z',
    ]);
    expectWhole(quarters, NOW - 90 * DAY);
  });

  test('keeps its newer half open if it is the newest window', () => {
    const now = NOW + 10 * HOUR;
    const newest = new Map([...remembered(), ['window=2026-11-28T10:45Z/', CAPPED] as const]);
    const halves = planWindows(listing(), newest, policy({ now })).windows;
    expect(spans(halves).slice(0, 2)).toEqual(['11-28T16:22Z/', '11-28T10:45Z/11-28T16:22Z']);
    expectWhole(halves, NOW - 90 * DAY);
  });

  test('is not halved below a minute, and is then reported as capped', () => {
    const minute = new Map([
      ['window=2026-11-28T10:45Z/', state()],
      ['window=2026-11-28T10:44Z/2026-11-28T10:45Z', CAPPED],
    ]);
    const { windows } = planWindows(listing(), minute, policy());
    expect(windows[1]?.listing.window.canBeHalved).toBe(false);
    expect(spans(windows)[1]).toBe('11-28T10:44Z/11-28T10:45Z');
    expect(combineWindows(windows.slice(0, 2), false).certificate).toMatchObject({ reason: 'capped' });
  });
});

describe('how windows are read', () => {
  const due: DuePolicy = {
    now: NOW,
    reconcileEveryMs: DAY,
    full: false,
    editedAt: null,
    skipCertifiedSince: null,
    skipWalkedSince: null,
    enterpriseProjectId: 'all_granted_eps',
    content: null,
    isSplit: false,
  };
  const modes = (
    one: ListingState | null,
    more: Partial<DuePolicy> = {},
    { appendOnly = false, proveContent = false }: { appendOnly?: boolean; proveContent?: boolean } = {},
  ) => {
    const at = { ...due, ...more };
    const { windows } = planWindows(listing(), one === null ? new Map() : remembered(one), policy({ now: at.now }));
    return windows.map((window) => modeOfWindow(window, at, { appendOnly, proveContent }));
  };

  test('all of them when nothing is known, then the newest at each tick and the others when their certificate is due', () => {
    expect(modes(null)).toEqual(['full', 'full', 'full', 'full', 'full']);
    expect(modes(state())).toEqual(['poll', null, null, null, null]);
    expect(modes(state(), { now: NOW + DAY })).toEqual(['full', 'full', 'full', 'full', 'full']);
  });

  test('never again if the list only grows, unless a full read is requested', () => {
    expect(modes(state(), { now: NOW + DAY }, { appendOnly: true })).toEqual(['full', null, null, null, null]);
    expect(modes(state(), { full: true }, { appendOnly: true })).toEqual(['full', 'full', 'full', 'full', 'full']);
    expect(modes(state(), { editedAt: new Date(NOW + 1) }, { appendOnly: true })).toEqual([
      'full',
      'full',
      'full',
      'full',
      'full',
    ]);
    expect(modes(state(), { enterpriseProjectId: '0' }, { appendOnly: true })).toEqual([
      'full',
      'full',
      'full',
      'full',
      'full',
    ]);
  });

  test('once more if the window was read before all late rows could have arrived', () => {
    const early = state({ contentAt: new Date(Date.UTC(2026, 10, 28, 11, 59)) });
    expect(modes(early, {}, { appendOnly: true })).toEqual(['poll', 'full', null, null, null]);
    expect(modes(early)).toEqual(['poll', 'full', null, null, null]);
  });

  test('again when the content of rows that may have changed is due', () => {
    expect(modes(state(), {}, { proveContent: true })).toEqual(['poll', 'full', 'full', 'full', 'full']);
    expect(modes(state(), {}, { appendOnly: true, proveContent: true })).toEqual(['poll', null, null, null, null]);
  });

  test('not twice in an interrupted chain of runs, but the newest window is polled in each run', () => {
    const since = { skipCertifiedSince: new Date(NOW - HOUR), skipWalkedSince: new Date(NOW - HOUR) };
    expect(modes(state(), { ...since, now: NOW + 60_000 })).toEqual(['poll', null, null, null, null]);
  });
});

describe('the combined result of windows', () => {
  test('the list is complete when all of them are, and as old as the oldest that is read again', () => {
    const old = state({ certifiedAt: new Date(NOW - 5 * HOUR), contentAt: new Date(NOW - 6 * HOUR) });
    const states = new Map([...remembered(), ['window=2026-09-30T15:15Z/2026-10-30T01:00Z', old] as const]);
    const { windows } = planWindows(listing(), states, policy());
    expect(combineWindows(windows, false)).toMatchObject({
      certificate: { kind: 'complete', proof: 'split', evidence: { parts: 5, distinct: 50, requests: 35 } },
      certifiedAt: new Date(NOW - 5 * HOUR),
      contentAt: new Date(NOW - 6 * HOUR),
      total: 50,
    });
    // Windows of a list that only grows stay read, so they do not age.
    expect(combineWindows(windows, true)).toMatchObject({ certifiedAt: new Date(NOW), contentAt: new Date(NOW) });
  });

  test('the list has no certificate if one window is missing, refused or not certified', () => {
    const withOne = (one: ListingState | null) =>
      combineWindows(
        first.windows.map((window, index) => ({ ...window, state: index === 2 ? one : state() })),
        false,
      ).certificate;
    expect(withOne(null)).toMatchObject({ kind: 'incomplete', reason: 'not-asked' });
    expect(withOne(state({ certificate: null }))).toMatchObject({ kind: 'incomplete', reason: 'not-asked' });
    expect(withOne(state({ certificate: 'incomplete', reason: 'refused' }))).toMatchObject({ reason: 'refused' });
  });
});
