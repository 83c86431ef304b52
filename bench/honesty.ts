import { DIMENSIONS, type Dimension } from '../test/support/simulated-dimensions.ts';
import type { Finding } from '../test/support/simulated-observer.ts';
import { type Simulated, simulate } from '../test/support/simulation.ts';

/**
 * `node bench/honesty.ts [part of a name]`: for each kind of fault, the number of estates in which it causes a false
 * certificate or tombstone, and the cost of reading. `SEEDS=200` for more estates, `FIRST=17 SEEDS=1 VERBOSE=1` for the
 * details of one.
 */

const seeds = Number(process.env.SEEDS ?? 100);
const first = Number(process.env.FIRST ?? 1);
const [, , wanted = process.env.DIMENSION ?? ''] = process.argv;

/** Table columns: estates with each kind of error. */
const COLUMNS: Readonly<Record<string, (finding: Finding) => boolean>> = {
  'false claim of a walk': ({ fault }) => fault === 'uncertified',
  'of a look': ({ fault, isDecided }) => fault === 'unread' && isDecided,
  'false mark': ({ fault }) => fault === 'marked',
  'outdated after a walk': ({ fault }) => fault === 'outdated',
  'after a look': ({ fault, isDecided }) => fault === 'stale' && isDecided,
  'looks at other orders': ({ fault, isDecided }) => (fault === 'unread' || fault === 'stale') && !isDecided,
  'older than shown': ({ fault }) => fault === 'older',
  'live, not listed': ({ fault }) => fault === 'left',
  'still, not claimed': ({ fault }) => fault === 'unclaimed',
  books: ({ fault }) => fault === 'books',
};

const NAMES = Object.keys(COLUMNS);
const header = [
  'trouble',
  'expected',
  'runs',
  'complete',
  ...NAMES,
  'stored',
  'requests a run',
  'of the least',
  'seeds',
];
console.log(`| ${header.join(' | ')} |`);
console.log(`|${'---|'.repeat(header.length)}`);
for (const [name, dimension] of Object.entries(DIMENSIONS)) {
  if (name.includes(wanted)) console.log(`| ${(await lineOf(name, dimension)).join(' | ')} |`);
}

async function lineOf(name: string, dimension: Dimension): Promise<readonly (string | number)[]> {
  const estates: (Simulated & { readonly seed: number })[] = [];
  for (let seed = first; seed < first + seeds; seed += 1) {
    const result = await simulate(seed, { dimensions: [dimension], troubled: false });
    estates.push({ ...result, seed });
    if (process.env.VERBOSE !== undefined) console.log(seed, result.findings);
  }
  const sum = (pick: (one: Simulated) => number) => estates.reduce((total, one) => total + pick(one), 0);
  const percent = (part: number, whole: number) => `${((100 * part) / Math.max(1, whole)).toFixed(1)} %`;
  const runs = sum((one) => one.runs);
  const requests = sum((one) => one.requests);
  const wrong = NAMES.map((column) => estates.filter(({ findings }) => findings.some((one) => COLUMNS[column]?.(one))));
  const examples = wrong.slice(0, 5).flatMap((some) => some.slice(0, 2).map(({ seed }) => seed));
  return [
    name,
    dimension.honesty,
    runs,
    percent(
      sum((one) => one.complete),
      runs,
    ),
    ...wrong.map(({ length }) => length),
    percent(
      sum((one) => one.live),
      sum((one) => one.listed),
    ),
    (requests / runs).toFixed(1),
    (requests / sum((one) => one.least)).toFixed(2),
    [...new Set(examples)].join(' '),
  ];
}
