import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { stopSignal } from '../../src/startup.ts';

/** A process that is sent signals at given milliseconds; the codes it was told to exit with. */
function sent(...signals: readonly (readonly [name: 'SIGINT' | 'SIGTERM', at: number])[]) {
  const target = new EventEmitter();
  const exits: number[] = [];
  let now = 0;
  const signal = stopSignal({ process: target, now: () => now, exit: (code) => exits.push(code) });
  for (const [name, at] of signals) {
    now = at;
    target.emit(name);
  }
  return { signal, exits };
}

test('the first signal asks to stop and says which one it was', () => {
  const { signal, exits } = sent(['SIGTERM', 10]);
  expect([signal.aborted, signal.reason.message, exits]).toEqual([true, 'stopped by SIGTERM', []]);
});

test('a second signal within a second is the same Ctrl-C, handed on by npm', () => {
  const { signal, exits } = sent(['SIGINT', 5_000], ['SIGINT', 5_001], ['SIGTERM', 5_999]);
  expect([signal.aborted, exits]).toEqual([true, []]);
});

test('a later signal ends the process at once, with the code of the signal', () => {
  expect(sent(['SIGINT', 5_000], ['SIGINT', 6_000]).exits).toEqual([130]);
  expect(sent(['SIGTERM', 0], ['SIGINT', 1], ['SIGTERM', 1_500]).exits).toEqual([143]);
});
