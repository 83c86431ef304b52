import { expect, onTestFinished, test, vi } from 'vitest';
import { type Screen, startProgress } from '../../src/cli/output.ts';
import { loadConfig } from '../../src/config/config.ts';
import { hssClusterEvents } from '../../src/streams/hss/cluster-events.ts';
import { hssProtectedClusters } from '../../src/streams/hss/protected-clusters.ts';
import { streams } from '../../src/streams/index.ts';
import { quietLogger, scope } from '../support/engine.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal obeys.
const TOKENS = /\u001b\[(\d+)A|\u001b\[J|\n|[^\n\u001b]+/g;

/** A terminal of 60 columns that understands line ends, "cursor up" and "erase below", and wraps what is too long. */
class Terminal implements Screen {
  readonly isTTY = true;
  readonly columns = 60;
  readonly rows = 10;
  #lines = [''];

  write(text: string | Uint8Array): boolean {
    for (const [token, up] of String(text).matchAll(TOKENS)) {
      if (up !== undefined) this.#lines = [...this.#lines.slice(0, -1 - Number(up)), ''];
      else if (token === '\n') this.#lines.push('');
      else if (!token.startsWith('\u001b')) this.#append(token);
    }
    return true;
  }

  #append(text: string): void {
    const line = `${this.#lines.pop()}${text}`;
    const pieces = line.match(new RegExp(`.{1,${this.columns}}`, 'g')) ?? [''];
    this.#lines.push(...pieces);
  }

  /** What a person sees, the empty line with the cursor left out. */
  get shown(): readonly string[] {
    return this.#lines.slice(0, -1);
  }
}

const env = {
  HUAWEICLOUD_SDK_AK: 'AK',
  HUAWEICLOUD_SDK_SK: 'sk',
  HUAWEICLOUD_SDK_PROJECT_ID: scope.projectId,
  HW_REGION_NAME: 'cn-north-4',
};

async function displayed() {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const terminal = new Terminal();
  const config = await loadConfig({ streams, env });
  const progress = startProgress({ json: false, screen: terminal });
  onTestFinished(() => progress.stop());
  const watch = (stream: (typeof streams)[number]) => progress.watch({ stream, scope }, config, quietLogger);
  return { terminal, progress, watch };
}

test('a log line is written above the progress display, and no remains of the display are left', async () => {
  const { terminal, progress, watch } = await displayed();
  watch(hssProtectedClusters);
  watch(hssClusterEvents);
  vi.advanceTimersByTime(200);
  expect(terminal.shown).toEqual([
    expect.stringMatching(/^hss_protected_clusters +0 rows/),
    expect.stringMatching(/^hss_cluster_events +0 rows/),
  ]);
  progress.around(() => void terminal.write('WARN: the API differs from its documents\n'));
  progress.done({ stream: hssProtectedClusters.name, project_id: scope.projectId });
  progress.around(() => void terminal.write('INFO: hss_protected_clusters: succeeded\n'));
  vi.advanceTimersByTime(200);
  expect(terminal.shown).toEqual([
    'WARN: the API differs from its documents',
    'INFO: hss_protected_clusters: succeeded',
    expect.stringMatching(/^hss_cluster_events +0 rows/),
  ]);
  progress.stop();
  expect(terminal.shown).toEqual([
    'WARN: the API differs from its documents',
    'INFO: hss_protected_clusters: succeeded',
  ]);
});

test('a line wider than the terminal is cut, so that erasing it erases all of it', async () => {
  const { terminal, watch } = await displayed();
  const { onPage } = watch(hssClusterEvents);
  onPage?.({ listing: { key: '', params: {} }, offset: 123_456_789, total: 987_654_321 });
  vi.advanceTimersByTime(1_000);
  expect(terminal.shown.filter((line) => /^hss_cluster_events +123456789 of/.test(line))).toHaveLength(1);
});
