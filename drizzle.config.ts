import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'postgresql',
  out: './migrations',
  schema: [
    './src/core/stream/table.ts',
    './src/postgres/schema/system-tables.ts',
    './src/postgres/schema/quota-tables.ts',
    './src/streams/**/*.ts',
  ],
});
