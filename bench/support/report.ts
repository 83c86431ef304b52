import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';

/** One line of the table: a benchmark and its figures by name. */
export interface Line {
  readonly benchmark: string;
  readonly figures: Readonly<Record<string, number | string>>;
}

const RESULTS = join(import.meta.dirname, '..', 'results.json');

/** Prints one line for each benchmark. */
export function print(lines: readonly Line[]): void {
  const width = Math.max(...lines.map(({ benchmark }) => benchmark.length));
  for (const { benchmark, figures } of lines) {
    const text = Object.entries(figures).map(([name, value]) => `${value.toLocaleString('en')} ${name}`);
    console.log(`${benchmark.padEnd(width)}  ${text.join(' · ')}`);
  }
}

/** Writes bench/results.json. */
export function save(lines: readonly Line[]): void {
  writeFileSync(RESULTS, `${JSON.stringify({ machine: machine(), lines }, null, 2)}\n`);
}

function machine() {
  const [first] = cpus();
  return {
    date: new Date().toISOString(),
    commit: commit(),
    cpus: cpus().length,
    model: first?.model ?? 'unknown',
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    // If the load exceeds the number of CPUs, other processes were running and only ratios are meaningful.
    loadAtEnd: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  };
}

function commit(): string | null {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
  } catch {
    return null; // not a clone
  }
}
