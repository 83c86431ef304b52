import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { runCli, startCli, temporaryDirectory } from '../support/cli.ts';
import { createTestDatabase } from '../support/postgres.ts';

/** What works without a configuration file, or without the secrets that it mentions. */

const database = await createTestDatabase();

test('the variables printed by sandbox --json suffice to read the sandbox', async () => {
  const cwd = await temporaryDirectory();
  const sandbox = startCli(['sandbox', '--json', '--port', '0', '--events', '30', '--clusters', '3'], { cwd });
  onTestFinished(async () => {
    sandbox.child.kill('SIGTERM');
    await sandbox.result;
  });
  const { environment } = z
    .object({ environment: z.record(z.string(), z.string()) })
    .parse(JSON.parse(await sandbox.until(/\n}\n/)));
  const { code, stdout, stderr } = await runCli(['sync', 'hss_protected_clusters', '--json'], {
    cwd,
    env: { ...environment, DATABASE_URL: database.url, SECURITY_SYNC_EGRESS: 'nat-1' },
  });
  expect(code, stderr).toBe(0);
  expect(JSON.parse(stdout).runs).toMatchObject([{ account: 'default', certificate: 'complete', records: 3 }]);
  const { rows: budgets } = await database.pool.query('select distinct account, egress from sync.api_quota order by 1');
  expect(budgets, 'the budgets of the account and of the address that the variable names').toEqual([
    { account: '*nat-1', egress: '*nat-1' },
    { account: 'default', egress: '*nat-1' },
  ]);
});

test('migrate needs no secret of the API that the configuration file mentions', async () => {
  const cwd = await temporaryDirectory();
  await writeFile(
    join(cwd, 'security-sync.yaml'),
    `accounts:
  - name: prod
    auth: { kind: aksk, accessKey: "\${ACCESS_KEY}", secretKey: "\${SECRET_KEY}" }
    projects: [{ id: 84b5266c14ae489fa6549827f032dc62, region: cn-north-4 }]
`,
  );
  const { code, stderr } = await runCli(['migrate'], { cwd, env: { DATABASE_URL: database.url } });
  expect(code, stderr).toBe(0);
});

test('roles grants to roles of other names, and refuses one name for two of them', async () => {
  const cwd = await temporaryDirectory();
  const named = ['--owner', 'stage_owner', '--writer', 'stage_writer', '--reader', 'stage-reader'];
  const { stdout } = await runCli(['roles', '--print', ...named], { cwd });
  expect(stdout).toContain(`CREATE ROLE "stage_owner" LOGIN`);
  expect(stdout).toContain(`TO "stage-reader"`);
  expect(stdout).not.toContain('security_sync_owner');
  expect(await runCli(['roles', '--print', '--owner', 'a', '--writer', 'a'], { cwd })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--owner, --writer and --reader must differ'),
  });
});
