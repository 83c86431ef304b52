import { ConfigurationError } from '../core/errors.ts';
import { migrate } from '../postgres/migrate.ts';
import { forget, type Memory, memoriesOf } from '../postgres/reset.ts';
import { streams } from '../streams/index.ts';
import { confirm } from './confirm.ts';
import { type Context, EXIT, type ExitCode, loadedConfig, loggerFor, withDatabase } from './context.ts';

export interface ResetFlags {
  readonly project?: string;
  readonly yes?: boolean;
}

/** `security-sync reset STREAM`: forgets a stream's checkpoints, so that its next run reads everything; its rows stay. */
export async function reset(
  context: Context,
  [name = '']: readonly string[],
  { project, yes = false }: ResetFlags,
): Promise<ExitCode> {
  const stream = streams.find((one) => one.name === name);
  if (stream === undefined) {
    throw new ConfigurationError(`unknown stream: ${name}; there are ${streams.map((one) => one.name).join(', ')}`);
  }
  const config = await loadedConfig(context, { needsAccounts: false });
  const logger = await loggerFor(context, config);
  return withDatabase(context, config, logger, async ({ pool }) => {
    await migrate(pool);
    const all = await memoriesOf(pool, stream);
    const memories = all.filter(({ projectId }) => project === undefined || projectId === project);
    if (project !== undefined && memories.length === 0 && all.length > 0) {
      throw new ConfigurationError(
        `nothing is remembered of ${name} in project "${project}"; there are ${all.map(({ projectId }) => projectId).join(', ')}`,
      );
    }
    if (memories.length > 0 && !yes && !(await isWanted(context, name, memories))) {
      context.answer({ ok: false, stream: name, reset: [], busy: [] }, () => 'Nothing was changed.');
      return EXIT.incomplete;
    }
    const done: Memory[] = [];
    const busy: string[] = [];
    for (const { projectId } of memories) {
      const forgotten = await forget(pool, stream, projectId);
      if (forgotten === 'busy') busy.push(projectId);
      else done.push(forgotten);
    }
    const ok = busy.length === 0;
    const reset = done.map(({ projectId, listings, dialects }) => ({ project_id: projectId, listings, dialects }));
    context.answer({ ok, stream: name, reset, busy }, () => show(name, done, busy));
    return ok ? EXIT.ok : EXIT.incomplete;
  });
}

async function isWanted({ signal }: Context, name: string, memories: readonly Memory[]): Promise<boolean> {
  const lists = memories.reduce((sum, { listings }) => sum + listings, 0);
  const question = `Forget the checkpoints of ${name} (${lists} lists in ${memories.length} projects)? Its next run reads all of them to their ends; rows stay.`;
  const answer = await confirm(question, signal);
  if (answer === 'no terminal') throw new ConfigurationError(`reset asks first, and here is nobody to ask: add --yes`);
  return answer === 'yes';
}

function show(name: string, done: readonly Memory[], busy: readonly string[]): string {
  const lines = [
    ...done.map(({ projectId, listings }) => `${name}: forgot ${listings} lists of project ${projectId}; rows stay.`),
    ...busy.map(
      (projectId) => `${name}: another process is running it in project ${projectId}; nothing was changed there.`,
    ),
  ];
  return lines.length === 0 ? `Nothing is remembered of ${name}.` : lines.join('\n');
}
