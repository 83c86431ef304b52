import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'postgresql',
  out: './migrations',
  schema: ['./src/postgres/schema/tables.ts', './src/streams/**/*.ts'],
});
