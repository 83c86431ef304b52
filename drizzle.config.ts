import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'postgresql',
  out: './migrations',
  schema: [
    './src/core/table.ts',
    './src/postgres/system-tables.ts',
    './src/postgres/quota-tables.ts',
    './src/streams/**/*.ts',
  ],
});
