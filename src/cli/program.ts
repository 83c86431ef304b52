import { Command, CommanderError } from 'commander';
import packageFile from '../../package.json' with { type: 'json' };
import { coerceError, SyncError } from '../core/errors.ts';
import { type Context, EXIT, type ExitCode, exitCodeOf, type GlobalOptions } from './context.ts';
import type { ResetFlags } from './reset.ts';
import type { SyncFlags } from './sync.ts';

/** What the user meant to stop with Ctrl-C; a second signal does not wait. */
const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Parses the arguments, runs the command, answers with its exit code. Never throws. */
export async function main(argv: readonly string[]): Promise<number> {
  const stop = new AbortController();
  for (const signal of STOP_SIGNALS) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(128 + (signal === 'SIGINT' ? 2 : 15));
      stop.abort(new Error(`stopped by ${signal}`));
    });
  }
  // `security-sync streams | head` closes the pipe early; that is no fault.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
  });
  let code: ExitCode = EXIT.ok;
  const program = build(stop.signal, (result) => {
    code = result;
  });
  try {
    await program.parseAsync(argv);
    return code;
  } catch (error) {
    // A command line that could not be parsed has no options yet.
    const json = program.opts<GlobalOptions>().json === true || argv.includes('--json');
    if (!(error instanceof CommanderError)) return failed(error, json);
    if (error.exitCode === 0) return EXIT.ok;
    if (json) process.stdout.write(`${JSON.stringify({ ok: false, error: error.message }, null, 2)}\n`);
    return EXIT.usage;
  }
}

function build(signal: AbortSignal, exit: (code: ExitCode) => void): Command {
  const program = new Command('security-sync')
    .description('Keeps Huawei Cloud security lists (HSS, DBSS) as PostgreSQL tables, and proves them complete')
    .option('--config <file>', 'configuration file (default: $SECURITY_SYNC_CONFIG, else ./security-sync.yaml)')
    .option('--json', 'one JSON document on stdout, logs on stderr')
    .version(packageFile.version, '--version', 'the version of this program')
    .exitOverride()
    .showHelpAfterError('(security-sync --help shows the commands)');

  // Options may stand before or after the command's name, and each command is loaded when it is called: together they
  // take a second to import.
  const command = <Options extends object>(
    usage: string,
    description: string,
    run: (context: Context, args: readonly string[], options: Options) => Promise<ExitCode>,
  ): Command =>
    program
      .command(usage)
      .description(description)
      .option('--config <file>', 'configuration file')
      .option('--json', 'one JSON document on stdout, logs on stderr')
      .action(async (...received) => {
        const self = received.at(-1);
        if (!(self instanceof Command)) throw new Error('commander passes the command last');
        const options = self.optsWithGlobals<Options & GlobalOptions>();
        exit(await run(contextOf(options, signal), self.args, options));
      });

  command('run', 'the service: polls until it is stopped', async (context) => (await import('./run.ts')).run(context));
  command(
    'sync [stream...]',
    'reads every (or the named) stream once, parents first',
    async (context, names, options: SyncFlags) => (await import('./sync.ts')).sync(context, names, options),
  )
    .option('--project <id>', 'only this project')
    .option('--full', 'read every list to its end, whatever is certified')
    .option('--accept-shrink', 'believe that rows which vanished in large numbers are gone');
  command(
    'check',
    'configuration, database, credentials, and one request for each endpoint',
    async (context, _, options: { discover?: boolean }) => (await import('./check.ts')).check(context, options),
  ).option('--discover', 'list the projects, regions and enterprise projects the credentials reach');
  command('status', 'per stream and scope: last run, certificate, age, rows, rejects', async (context) =>
    (await import('./status.ts')).status(context),
  );
  command('plan', 'how fresh each stream can be kept under the quota, and what it costs', async (context) =>
    (await import('./plan.ts')).plan(context),
  );
  command(
    'verify [stream...]',
    'reads the API again and compares it with the tables, row by row; changes nothing',
    async (context, names, options: { project?: string }) =>
      (await import('./verify.ts')).verify(context, names, options),
  ).option('--project <id>', 'only this project');
  command('replay [stream...]', 'puts stored rejects through the current definitions again', async (context, names) =>
    (await import('./replay.ts')).replay(context, names),
  );
  command(
    'reset [stream]',
    'forgets what is remembered of a stream between walks, its rows stay; without a stream, removes a project and its rows',
    async (context, names, options: ResetFlags) => (await import('./reset.ts')).reset(context, names, options),
  )
    .option('--project <id>', 'only this project')
    .option('--yes', 'do not ask');
  command('migrate', 'applies the migrations', async (context) =>
    (await import('./migrate.ts')).migrateCommand(context),
  );
  command(
    'roles',
    'makes database roles for migrations, the service and dashboards',
    async (context, _, options: { print?: boolean }) => (await import('./roles.ts')).roles(context, options),
  ).option('--print', 'only print the SQL');
  command(
    'streams',
    'the catalogue: streams, endpoints, tables, columns',
    async (context, _, options: { markdown?: boolean }) =>
      (await import('./streams.ts')).streamsCommand(context, options),
  ).option('--markdown', 'as docs/tables.md has it');
  command(
    'sandbox',
    'a local API server that behaves like HSS, DBSS and IAM',
    async (context, _, options: Record<string, string>) => (await import('./sandbox.ts')).sandbox(context, options),
  )
    .option('--port <n>', 'port to listen on', '8099')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--seed <seed>', 'the same seed makes the same estate', '1')
    .option('--clusters <n>', 'clusters', '12')
    .option('--events <n>', 'alarm events', '4000')
    .option('--vulnerabilities <n>', 'image vulnerabilities', '400')
    .option('--instances <n>', 'database audit instances', '3')
    .option('--reports <n>', 'audit reports', '240')
    .option('--churn <n>', 'changes a minute', '0')
    .option('--quota <n>', 'requests a minute for each operation (0: no limit)', '5')
    .option('--examples', 'serve exactly the published example responses');
  command(
    'demo',
    'embedded Postgres, sandbox and polling; prints what to query',
    async (context, _, options: Record<string, string>) => (await import('./demo.ts')).demo(context, options),
  ).option('--port <n>', 'port of the sandbox (0: any)', '0');
  return program;
}

function contextOf({ config, json = false }: GlobalOptions, signal: AbortSignal): Context {
  return {
    json,
    signal,
    configFile: config,
    answer(document, text) {
      process.stdout.write(json ? `${JSON.stringify(document, null, 2)}\n` : `${text()}\n`);
    },
    say(line) {
      if (!json) process.stdout.write(`${line}\n`);
    },
  };
}

/** One line that says what is wrong; a stack only for what nobody foresaw. */
function failed(thrown: unknown, json: boolean): ExitCode {
  const error = coerceError(thrown);
  const text = error instanceof SyncError ? error.message : (error.stack ?? error.message);
  process.stderr.write(`security-sync: ${text}\n`);
  if (json) process.stdout.write(`${JSON.stringify({ ok: false, error: error.message }, null, 2)}\n`);
  return exitCodeOf(error);
}
