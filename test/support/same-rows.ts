import { isCleanJson, parseJson, toJson } from '../../src/core/stream/json.ts';
import { keyOf } from '../../src/core/stream/record.ts';
import { rowMakerOf } from '../../src/core/stream/row-maker.ts';
import type { Stream } from '../../src/core/stream/stream.ts';
import { agreementOf, differencesOf, fingerprintOf } from '../../src/core/stream/validate.ts';
import { columnText, columnWriterOf } from '../../src/postgres/rows/copy-rows.ts';
import { statementsOf } from '../../src/postgres/rows/statements.ts';
import { oddRecords } from './odd-records.ts';

/** What the comparison of generated functions with the general way found. */
export interface Compared {
  /** Records that a generated function made a row of. */
  readonly made: number;
  /** Records that a generated function found to agree with the documents. */
  readonly agreed: number;
  /** Texts of the records with another result in the general way. */
  readonly wrong: readonly string[];
}

/** Compares both ways of converting, fingerprinting, writing and comparing records, over records drawn from a seed. */
export function compareWays(stream: Stream, records: number, seed: number): Compared {
  const make = rowMakerOf(stream);
  const agrees = agreementOf(stream);
  const { fields } = statementsOf(stream);
  const wrong: string[] = [];
  let made = 0;
  let agreed = 0;
  for (const { text, origin } of oddRecords(stream, seed).take(records)) {
    const row = make?.(parseJson(text), { origin, isClean: text.isWellFormed() && isCleanJson(text) }) ?? false;
    const parsed = stream.parse(parseJson(text), origin);
    if (row !== false) {
      made += 1;
      const quick = [row.key, Object.keys(row.row), toJson(row.extra), row.hash, columnWriterOf(stream)(row)];
      const general = parsed.ok && [
        keyOf(stream.key, parsed.row),
        Object.keys(parsed.row),
        toJson(parsed.extra),
        fingerprintOf(stream, parsed.row, parsed.extra),
        columnText(fields, parsed),
      ];
      if (toJson(quick) !== toJson(general)) wrong.push(text);
    }
    if (agrees?.(parseJson(text), origin) === true) {
      agreed += 1;
      if (differencesOf(stream, parseJson(text), origin).length > 0) wrong.push(text);
    }
  }
  return { made, agreed, wrong };
}
