import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { loadConfig } from '../../src/config/config.ts';
import { createMetrics } from '../../src/ops/metrics.ts';
import { type OpsServer, startOpsServer } from '../../src/ops/server.ts';
import { installQueue } from '../../src/postgres/coordination/lane-queue.ts';
import { openBrowser } from '../support/chromium.ts';
import { quietLogger, READ_BY_DEFAULT } from '../support/engine.ts';
import { addPoison } from '../support/poison.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { freePort } from '../support/replica.ts';

const database = await createTestDatabase();
let ops: OpsServer;

beforeAll(async () => {
  await installQueue(database.url);
  await addPoison(database.pool);
  const env = {
    DATABASE_URL: database.url,
    HUAWEICLOUD_SDK_AK: 'AK',
    HUAWEICLOUD_SDK_SK: 'SK',
    HUAWEICLOUD_SDK_PROJECT_ID: '11111111111111111111111111111111',
    HW_REGION_NAME: 'cn-north-4',
    SECURITY_SYNC_PORT: String(await freePort()),
  };
  const config = await loadConfig({ streams: READ_BY_DEFAULT, env, file: undefined });
  ops = await startOpsServer({
    config,
    pool: database.pool,
    streams: READ_BY_DEFAULT,
    logger: quietLogger,
    metrics: createMetrics(),
    state: () => 'running',
  });
});
afterAll(() => ops.close());

const LOOKS = [
  { name: 'light', colorScheme: 'light', viewport: { width: 1280, height: 900 } },
  { name: 'dark', colorScheme: 'dark', viewport: { width: 1280, height: 900 } },
  { name: 'phone', colorScheme: 'light', viewport: { width: 390, height: 844 } },
  { name: 'phone-dark', colorScheme: 'dark', viewport: { width: 390, height: 844 } },
] as const;

test.each(LOOKS)(
  'is readable ($name), runs nothing that the API sent, and updates itself',
  async ({ name, colorScheme, viewport }) => {
    const browser = await openBrowser();
    const page = await browser.newPage({ colorScheme, viewport });
    const complaints: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    const foreign: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(`${ops.url}`) && !request.url().startsWith('data:')) foreign.push(request.url());
    });
    await page.goto(`${ops.url}/`);
    expect(await page.locator('.card').count()).toBe(READ_BY_DEFAULT.length);
    expect(await page.locator('[data-stream=hss_cluster_events] .strip rect').count()).toBe(50);
    if (process.env.SCREENSHOTS !== undefined)
      await page.screenshot({ path: join(process.env.SCREENSHOTS, `status-${name}.png`), fullPage: true });

    const overflow = await page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth');
    expect(overflow, 'nothing sticks out of the page').toBeLessThanOrEqual(0);
    expect(await contrastOf(page), 'text stands out from what is behind it').toBeGreaterThanOrEqual(4.5);

    await database.pool.query(
      'update sync.rejected_records set issues = \'[{"field": "seen", "message": "after an update"}]\'',
    );
    await page.getByText('after an update').waitFor({ timeout: 15_000 });
    expect(await page.evaluate('window.hacked')).toBeUndefined();
    expect(complaints).toEqual([]);
    expect(foreign).toEqual([]);
    await database.pool.query('truncate sync.rejected_records, sync.runs, sync.api_drift, sync.api_quota');
    await addPoison(database.pool);
  },
  60_000,
);

test('/metrics is text that a browser shows and does not run', async () => {
  const browser = await openBrowser();
  const page = await browser.newPage();
  const response = await page.goto(`${ops.url}/metrics`);
  expect(response?.headers()['content-type']).toContain('text/plain');
  expect(await page.locator('body').innerText()).toContain('security_sync_certificate_age_seconds');
}, 60_000);

/** The least contrast (WCAG) of any text with the first background behind it. */
async function contrastOf(
  page: Awaited<ReturnType<Awaited<ReturnType<typeof openBrowser>>['newPage']>>,
): Promise<number> {
  return page.evaluate(`(() => {
    const channels = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
    const luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    let least = 21;
    for (const element of document.querySelectorAll('body *')) {
      if (![...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim()) || element.closest('script,style,svg')) continue;
      let behind = element;
      while (behind && channels(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
      const [a, b] = [getComputedStyle(element).color, getComputedStyle(behind ?? document.body).backgroundColor].map((text) => luminance(channels(text)));
      least = Math.min(least, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
    }
    return least;
  })()`);
}
