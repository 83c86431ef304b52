import { describe, expect, it } from 'vitest';
import { TABLE_QUESTIONS } from '../../src/cli/catalogue/markdown.ts';
import { QUESTIONS } from '../../src/cli/catalogue/questions.ts';
import { fillWithDemo } from '../support/demo-database.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { createRoles } from '../support/reader.ts';

const database = await createTestDatabase();
const { reader } = await createRoles(database);

const catalogue = [['bi', QUESTIONS] as const, ...Object.entries(TABLE_QUESTIONS)];

describe.each(catalogue)('the questions of docs/tables.md about %s', (_, questions) => {
  it.each(questions.map(({ ask, sql }) => [ask, sql]))('the demo has an answer to "%s"', async (_ask, sql) => {
    await fillWithDemo(database);
    expect((await reader.query(sql)).rowCount).toBeGreaterThan(0);
  });
});
