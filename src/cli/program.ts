import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import packageFile from '../../package.json' with { type: 'json' };
import { coerceError, SyncError } from '../core/errors.ts';
import { didYouMean, printable } from '../core/text.ts';
import { type Context, EXIT, type ExitCode, exitCodeOf, type GlobalOptions, type StandardIo } from './context.ts';
import type { ResetFlags, RolesFlags } from './database.ts';
import { HELP, helpText } from './help.ts';
import type { SyncFlags } from './run.ts';
import type { StatusFlags } from './status.ts';
import type { StreamsFlags } from './streams.ts';

/** Commands that run until they are stopped. */
const SERVICES: readonly string[] = ['run', 'sandbox', 'demo'];

/**
 * Parses the arguments, runs the command and returns its exit code. Never throws. `signal` is the user's request to
 * stop; `io` is the process, or the streams of a caller in the same process.
 */
export async function main(argv: readonly string[], signal: AbortSignal, io: StandardIo): Promise<number> {
  const output = watchOutput(io);
  let code: ExitCode = EXIT.ok;
  const program = build(signal, io, (result) => {
    code = result;
  });
  try {
    await program.parseAsync(argv);
    return output.failed ? EXIT.incomplete : code;
  } catch (error) {
    // A command line that could not be parsed has no options.
    const json = program.opts<GlobalOptions>().json === true || argv.includes('--json');
    if (!(error instanceof CommanderError)) return failed(error, json, io);
    if (error.exitCode === 0) return EXIT.ok;
    if (json) io.stdout.write(`${JSON.stringify({ ok: false, error: error.message }, null, 2)}\n`);
    return EXIT.usage;
  }
}

/** Sets `failed` if the answer could not be written, so that the exit code reports it. */
function watchOutput({ stdout, stderr }: StandardIo): { readonly failed: boolean } {
  const output = { failed: false };
  // Writing to a closed terminal fails; the process must still shut down cleanly.
  stderr.on('error', () => {});
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    // `security-sync streams | head` closes the pipe early, which is not an error.
    if (error.code === 'EPIPE') process.exit(EXIT.ok);
    if (!output.failed) stderr.write(`security-sync: the output cannot be written: ${error.message}\n`);
    output.failed = true;
    process.exitCode = EXIT.incomplete;
  });
  return output;
}

function build(signal: AbortSignal, io: StandardIo, exit: (code: ExitCode) => void): Command {
  const program = new Command('security-sync')
    .description('Copies Huawei Cloud security lists (HSS, DBSS) to PostgreSQL tables, and proves them complete')
    .option('--config <file>', 'configuration file (default: $SECURITY_SYNC_CONFIG, else ./security-sync.yaml)')
    .option('--json', 'one JSON document on stdout, logs on stderr')
    .version(packageFile.version, '--version', 'the version of this program')
    .exitOverride()
    .configureOutput({ writeOut: (text) => void io.stdout.write(text), writeErr: (text) => void io.stderr.write(text) })
    .showHelpAfterError('(security-sync --help shows the commands)')
    .addHelpText(
      'after',
      '\nsecurity-sync help COMMAND has examples and exit codes. Read on: README.md, docs/operations.md',
    )
    .helpCommand(false);

  // Options may precede or follow the command's name. Each command is imported when it is called, because importing all
  // of them is slow.
  const command = <Options extends object>(
    usage: string,
    description: string,
    run: (context: Context, args: readonly string[], options: Options) => Promise<ExitCode>,
  ): Command =>
    withHelp(program.command(usage))
      .description(description)
      .option('--config <file>', 'configuration file')
      .option('--json', 'one JSON document on stdout, logs on stderr')
      .action(async (...received) => {
        const self = received.at(-1);
        if (!(self instanceof Command)) throw new Error('commander passes the command last');
        const options = self.optsWithGlobals<Options & GlobalOptions>();
        exit(await untilStopped(self.name(), signal, () => run(contextOf(options, signal, io), self.args, options)));
      });

  command('run', 'the service: polls until it is stopped', async (context) => (await import('./run.ts')).run(context));
  command(
    'sync [stream...]',
    'reads every (or the named) stream once, parents first',
    async (context, names, options: SyncFlags) => (await import('./run.ts')).sync(context, names, options),
  )
    .option('--project <id>', 'only this project')
    .option('--full', 'read every list to its end, even if it is certified')
    .option('--accept-shrink', 'mark all missing rows as gone, without confirmation by later walks');
  command(
    'check',
    'configuration, database, credentials, and one request for each endpoint',
    async (context, _, options: { discover?: boolean }) => (await import('./check.ts')).check(context, options),
  ).option('--discover', 'list the projects, regions and enterprise projects the credentials reach');
  command(
    'status',
    'what is wrong; and for each stream and project how old the data is, and what is proven',
    async (context, _, options: StatusFlags) => (await import('./status.ts')).status(context, options),
  )
    .option('--check', 'exit code 1 unless every table is fresh and proven')
    .option('--project <id>', 'each table of this project, however many there are');
  command('plan', 'how fresh each stream can be kept under the quota, and what it costs', async (context) =>
    (await import('./plan.ts')).plan(context),
  );
  command(
    'verify [stream...]',
    'reads the API again and compares it with the tables, row by row; changes nothing',
    async (context, names, options: { project?: string }) =>
      (await import('./verify.ts')).verify(context, names, options),
  ).option('--project <id>', 'only this project');
  command('replay [stream...]', 'validates stored rejects against the current definitions', async (context, names) =>
    (await import('./database.ts')).replay(context, names),
  );
  command(
    'reset [stream]',
    'deletes the certificates and checkpoints of a stream (its rows stay); without a stream, deletes a project with all its rows',
    async (context, names, options: ResetFlags) => (await import('./database.ts')).reset(context, names, options),
  )
    .option('--project <id>', 'the project; without a stream it is deleted with all its rows')
    .option('--yes', 'do not ask');
  command('migrate', 'applies the migrations', async (context) =>
    (await import('./database.ts')).migrateCommand(context),
  );
  command(
    'roles',
    'creates database roles for migrations, the service and dashboards',
    async (context, _, options: RolesFlags) => (await import('./database.ts')).roles(context, options),
  )
    .option('--print', 'only print the SQL')
    .option('--owner <name>', 'role for migrations (default security_sync_owner)')
    .option('--writer <name>', 'role for the service (default security_sync_writer)')
    .option('--reader <name>', 'role for dashboards and people (default security_sync_reader)');
  command(
    'streams [stream...]',
    'the catalogue by group, and what is enabled; with names, endpoints and columns',
    async (context, names, options: StreamsFlags) =>
      (await import('./streams.ts')).streamsCommand(context, names, options),
  ).option('--markdown', 'print docs/tables.md');
  const estate = (
    which: Command,
    { events, vulnerabilities }: Readonly<Record<'events' | 'vulnerabilities', string>>,
  ) =>
    which
      .option('--clusters <n>', 'clusters', '12')
      .option('--events <n>', 'alarm events', events)
      .option('--vulnerabilities <n>', 'vulnerabilities of hosts; images have about twice as many', vulnerabilities)
      .option('--instances <n>', 'database audit instances', '3')
      .option('--reports <n>', 'audit reports', '240')
      .option('--hosts <n>', 'hosts', '60');
  const sandbox = command(
    'sandbox',
    'a local API server that behaves like HSS, DBSS and IAM',
    async (context, _, options: Record<string, string>) => (await import('./sandbox.ts')).sandbox(context, options),
  )
    .option('--port <n>', 'port to listen on', '8099')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--seed <seed>', 'the same seed makes the same estate', '1');
  estate(sandbox, { events: '4000', vulnerabilities: '400' })
    .option('--churn <n>', 'changes a minute', '0')
    .option('--quota <n>', 'requests a minute for each operation (0: no limit)', '5')
    .option('--examples', 'serve exactly the published example responses');
  const demo = command(
    'demo',
    'embedded Postgres, sandbox and polling; prints example queries',
    async (context, _, options: Record<string, string>) => (await import('./demo.ts')).demo(context, options),
  )
    .option('--port <n>', 'port of the sandbox (0: any)', '0')
    .option('--status-port <n>', 'port of the status page (0: any)', '8080')
    .option('--directory <path>', 'where it keeps its database', join('.data', 'demo'));
  // Each vulnerability is up to five lists of its own; of fewer, some example questions have no answer.
  estate(demo, { events: '6000', vulnerabilities: '160' });
  addHelpCommand(program);
  return program;
}

function withHelp(command: Command): Command {
  const name = command.name();
  const help = HELP[name];
  return command
    .showHelpAfterError(`(security-sync ${name} --help shows its options)`)
    .addHelpText('after', help === undefined ? '' : helpText(help));
}

/** commander answers an unknown name with the whole help and no error message. */
function addHelpCommand(program: Command): void {
  program
    .command('help [command]')
    .description('help for a command')
    .action((name: string | undefined) => {
      if (name === undefined) return program.help();
      const named = program.commands.find((command) => command.name() === name);
      if (named !== undefined) return named.help();
      const known = program.commands.map((command) => command.name());
      return program.error(`error: unknown command '${name}'${didYouMean(name, known)}`);
    });
}

/** Stopping a service, even during its start, is success. Any other command that is stopped is incomplete. */
async function untilStopped(name: string, signal: AbortSignal, run: () => Promise<ExitCode>): Promise<ExitCode> {
  const stopped = SERVICES.includes(name) ? EXIT.ok : EXIT.incomplete;
  if (signal.aborted) return stopped;
  try {
    return await run();
  } catch (error) {
    if (signal.aborted && coerceError(error) === signal.reason) return stopped;
    throw error;
  }
}

function contextOf({ config, json = false }: GlobalOptions, signal: AbortSignal, io: StandardIo): Context {
  return {
    json,
    io,
    signal,
    configFile: config,
    answer(document, text) {
      io.stdout.write(printable(json ? `${JSON.stringify(document, null, 2)}\n` : `${text()}\n`));
    },
    say(line) {
      if (!json) io.stdout.write(printable(`${line}\n`));
    },
  };
}

/** Prints one line with the error; a stack only for unexpected errors. */
function failed(thrown: unknown, json: boolean, io: StandardIo): ExitCode {
  const error = coerceError(thrown);
  const text = error instanceof SyncError ? error.message : (error.stack ?? error.message);
  io.stderr.write(printable(`security-sync: ${text}\n`));
  if (json) io.stdout.write(printable(`${JSON.stringify({ ok: false, error: error.message }, null, 2)}\n`));
  return exitCodeOf(error);
}
