import { createRequire } from 'node:module';

/**
 * Drizzle, loaded as CommonJS. As ES modules the same files cost 180 MB of memory and 0.4 s at every start: Node reads
 * drizzle's package.json (180 KB) again for each of its 150 modules. Measured on Node 24.21: 238 MB resident after
 * `import('drizzle-orm/pg-core')`, 59 MB after `require`.
 */
// drizzle-kit turns this file into CommonJS, where only `__filename` is known.
const require = createRequire(import.meta.filename ?? __filename);

const sqlOf: typeof import('drizzle-orm/sql') = require('drizzle-orm/sql');
const pgCore: typeof import('drizzle-orm/pg-core') = require('drizzle-orm/pg-core');

export const {
  bigint,
  boolean,
  customType,
  doublePrecision,
  getTableConfig,
  index,
  integer,
  jsonb,
  pgSchema,
  primaryKey,
  text,
  timestamp,
} = pgCore;

export const { sql } = sqlOf;
