import { type App, systemClock } from '../app.ts';
import type { Account, Auth, Scope } from '../core/account.ts';
import {
  AccountSuspended,
  CredentialsRefused,
  coerceError,
  NotFound,
  PermissionRefused,
  Unreachable,
} from '../core/errors.ts';
import { fixedListings, type Listing } from '../core/stream/endpoint.ts';
import { type Group, inOrder, type Stream } from '../core/stream/stream.ts';
import { ALL_ENTERPRISE_PROJECTS } from '../core/sweep.ts';
import { counted } from '../core/text.ts';
import { type Discovery, discover } from '../huawei/discover.ts';
import { createSuspensions } from '../postgres/coordination/quota.ts';
import { rememberEnterpriseProjects } from '../postgres/queries/overview.ts';
import { streams } from '../streams/index.ts';
import { DEFAULT_PROJECT } from '../sync/run/page-reader.ts';
import { windowsOf } from '../sync/run/read-windows.ts';
import { type Context, EXIT, type ExitCode, withApp } from './context.ts';
import { table } from './output.ts';
import { totalOf } from './plan.ts';

interface Finding {
  readonly account: string;
  readonly project_id: string;
  readonly region: string;
  readonly stream: string;
  readonly group: Group;
  readonly access: 'ok' | 'empty' | 'not allowed' | 'not found' | 'no list yet' | 'refused' | 'failed';
  readonly total: number | null;
  /** Rows in the API's default enterprise project; null where the endpoint has no such parameter. */
  readonly default_enterprise_project_total: number | null;
  readonly note: string | null;
  /** No request was sent, because the host had not responded to one before. Absent means false. */
  readonly skipped?: true;
}

/**
 * `security-sync check`: sends one request to each endpoint and reports what each account may read. An empty list is
 * reported as allowed.
 */
export async function check(context: Context, options: { readonly discover?: boolean }): Promise<ExitCode> {
  return withApp(context, { quiet: true, creation: 'temporary' }, async (app, logger) => {
    if (options.discover) return discoverAll(context, app, logger);
    const findings: Finding[] = [];
    const silent = new Map<string, string>();
    for (const scope of app.config.scopes) {
      for (const stream of inOrder(app.streams))
        findings.push(await checkStream({ app, silent, signal: context.signal }, stream, scope));
    }
    const ok = findings.every(({ access }) => access === 'ok' || access === 'empty' || access === 'no list yet');
    const database = app.database.temporary ? 'none' : 'ok';
    const accounts = app.config.accounts.map(({ name, auth }) => ({ account: name, sign_in: signInOf(auth) }));
    const unused = app.config.unusedVariables.map(({ name }) => name);
    context.answer(
      { ok, configuration: app.config.file ?? 'environment', unused_variables: unused, database, accounts, findings },
      () => show(app, findings),
    );
    return ok ? EXIT.ok : EXIT.incomplete;
  });
}

interface CheckInput {
  readonly app: App;
  /** Hosts that did not respond, with the stream whose request failed: later requests to them are skipped. */
  readonly silent: Map<string, string>;
  readonly signal: AbortSignal;
}

async function checkStream({ app, silent, signal }: CheckInput, stream: Stream, scope: Scope): Promise<Finding> {
  const about = {
    account: scope.account,
    project_id: scope.projectId,
    region: scope.region,
    stream: stream.name,
    group: stream.group,
  };
  const nothing = { total: null, default_enterprise_project_total: null, note: null };
  const host = `${scope.account} ${scope.region} ${stream.endpoint.service}`;
  const foundOut = silent.get(host);
  if (foundOut !== undefined)
    return {
      ...about,
      ...nothing,
      access: 'failed',
      skipped: true,
      note: `not requested: the host did not respond to the request for ${foundOut}`,
    };
  try {
    const listing = await listingToAsk(app, stream, scope);
    if (listing === null)
      return {
        ...about,
        ...nothing,
        access: 'no list yet',
        note: `after the first sync of ${stream.parent?.stream.name}`,
      };
    const total = await totalOf({ source: app.source, signal }, { stream, scope }, listing);
    const wide = stream.endpoint.enterpriseProjects && scope.enterpriseProjectId === ALL_ENTERPRISE_PROJECTS;
    const narrow = wide
      ? await totalOf(
          { source: app.source, signal },
          { stream, scope: { ...scope, enterpriseProjectId: DEFAULT_PROJECT } },
          listing,
        )
      : null;
    const note = (await keyNote(app, stream, scope)) ?? (narrow === null ? null : enterpriseNote(total, narrow));
    return { ...about, access: total === 0 ? 'empty' : 'ok', total, default_enterprise_project_total: narrow, note };
  } catch (thrown) {
    const error = coerceError(thrown);
    signal.throwIfAborted();
    if (error instanceof Unreachable) silent.set(host, stream.name);
    return { ...about, ...nothing, access: accessOf(error), note: error.message };
  }
}

/** A note if the last run of the stream saw several records with the same key. */
async function keyNote({ store }: Pick<App, 'store'>, stream: Stream, scope: Scope): Promise<string | null> {
  const states = await store.states(stream, scope);
  if (![...states.values()].some(({ certificate, reason }) => certificate === 'incomplete' && reason === 'key'))
    return null;
  return `its key (${stream.key.join(', ')}) is not unique: of records with the same key one is a row, the others are in sync.rejected_records`;
}

/** A note that compares all enterprise projects with the default one, which the API shows without a parameter. */
function enterpriseNote(all: number, inDefault: number): string | null {
  if (inDefault < all) return `enterprise project 0, the API's default, would hide ${all - inDefault} of them`;
  if (inDefault === all) return null;
  return (
    `returns ${inDefault} rows for enterprise project 0 but ${all} for all_granted_eps, so this list does not support ` +
    'all_granted_eps: configure one entry under projects for each enterpriseProjectId'
  );
}

/**
 * The listing to send the request for. For a list read in time windows, the newest closed window: the open one may
 * cover only an hour.
 */
async function listingToAsk({ store, engine }: App, stream: Stream, scope: Scope): Promise<Listing | null> {
  const listings =
    stream.parent === undefined ? fixedListings(stream) : await store.childListings(stream.parent, scope);
  const [listing] = listings;
  if (listing === undefined) return null;
  const [newest, closed] = windowsOf(engine, { stream, listing, states: new Map() });
  return (closed ?? newest)?.listing ?? listing;
}

function accessOf(error: Error): Finding['access'] {
  if (error instanceof PermissionRefused) return 'not allowed';
  if (error instanceof NotFound) return 'not found';
  return error instanceof CredentialsRefused || error instanceof AccountSuspended ? 'refused' : 'failed';
}

function show({ config, database }: App, findings: readonly Finding[]): string {
  const rows = findings.map(({ account, project_id, stream, access, total }) => ({
    account,
    project: project_id.slice(0, 8),
    stream,
    access,
    total,
  }));
  const notes = notesOf(findings, { accounts: config.accounts.length > 1, projects: config.scopes.length > 1 });
  return [
    `Configuration: ${config.file ?? 'environment'}. Database: ${database.temporary ? 'none yet' : 'ok'}.`,
    ...config.unusedVariables.map(({ name, key }) => `${name} is set but not used: the file sets ${key}.`),
    ...config.accounts.map(({ name, auth }) => `Account ${name} signs in by ${signInOf(auth)}.`),
    '',
    table(rows),
    ...(notes.length > 0 ? ['', ...notes] : []),
  ].join('\n');
}

/** Lines below the table: what holds for many streams is one of them. */
function notesOf(
  findings: readonly Finding[],
  several: { readonly accounts: boolean; readonly projects: boolean },
): readonly string[] {
  const place = ({ stream, account, project_id }: Omit<Finding, 'group'>) =>
    [
      stream,
      ...(several.projects ? [`project ${project_id}`] : []),
      ...(several.accounts ? [`account ${account}`] : []),
    ].join(', ');
  // A refusal holds for the whole account, and its note names the account.
  const refused = Map.groupBy(
    findings.filter(({ access }) => access === 'refused'),
    ({ account }) => account,
  );
  const hiding = findings.filter((finding) => hiddenIn(finding) > 0);
  const reported = findings.filter(
    (each) => each.access !== 'refused' && hiddenIn(each) === 0 && each.note !== null && each.skipped !== true,
  );
  // What is not bought or not granted mostly holds for a whole group; messages of its lists differ in their names only.
  const denied = Map.groupBy(reported, (each) =>
    DENIED.includes(each.access) ? place({ ...each, stream: `${each.access} ${each.group}` }) : null,
  );
  const ofGroups = [...denied].flatMap(([key, alike]) => (key !== null && alike.length > 1 ? [alike] : []));
  const others = reported.filter((each) => !ofGroups.some((alike) => alike.includes(each)));
  return [
    ...partialTotals(findings),
    ...[...refused.values()].map(([first]) => first?.note ?? ''),
    ...ofGroups.flatMap((alike) => ofGroup(alike, place)),
    ...[...Map.groupBy(others, ({ note }) => note)].map(([note, alike]) => `${alike.map(place).join('; ')}: ${note}`),
    ...hidden(hiding),
  ];
}

/** A stream may have hundreds of lists, and one request is sent: its total is not the number of rows of the stream. */
function partialTotals(findings: readonly Finding[]): readonly string[] {
  const counted = new Set(findings.filter(({ total }) => total !== null).map(({ stream }) => stream));
  const several = inOrder(streams).filter((stream) => counted.has(stream.name) && hasSeveralLists(stream));
  if (several.length === 0) return [];
  return [
    `These streams have several lists or time windows; the total is that of one of them: ${several.map(({ name }) => name).join(', ')}.`,
  ];
}

function hasSeveralLists(stream: Stream): boolean {
  return stream.parent !== undefined || stream.window !== undefined || fixedListings(stream).length > 1;
}

const DENIED: readonly Finding['access'][] = ['not allowed', 'not found'];

/** One line for the lists of a group that are denied alike, with the message of the first. */
function ofGroup(alike: readonly Finding[], place: (one: Finding) => string): readonly string[] {
  const [first] = alike;
  if (first === undefined) return [];
  const names = alike.map(({ stream }) => stream).join(', ');
  return [
    `${place({ ...first, stream: `group ${first.group}` })}: ${first.access}: ${names}. The first says: ${first.note}`,
  ];
}

/** Rows of which the note says that the default enterprise project would hide them. */
function hiddenIn({ total, default_enterprise_project_total: narrow, note }: Finding): number {
  const isNoted = total !== null && narrow !== null && note === enterpriseNote(total, narrow);
  return isNoted ? Math.max(0, total - narrow) : 0;
}

function hidden(findings: readonly Finding[]): readonly string[] {
  if (findings.length === 0) return [];
  const rows = findings.reduce((sum, finding) => sum + hiddenIn(finding), 0);
  const streams = new Set(findings.map(({ stream }) => stream)).size;
  return [
    `Enterprise project 0, the API's default, would hide ${counted(rows, 'row')} of ${counted(streams, 'stream')}: ` +
      'all_granted_eps, which is asked for here, shows them (--json has the numbers).',
  ];
}

async function discoverAll(
  context: Context,
  app: App,
  logger: Parameters<typeof discover>[0]['logger'],
): Promise<ExitCode> {
  const found: (Discovery & { readonly account: string })[] = [];
  const problems: string[] = [];
  for (const account of app.config.accounts) {
    try {
      const region = app.config.scopes.find((scope) => scope.account === account.name)?.region;
      const parts = { account, suspensions: createSuspensions(app.database.pool), clock: systemClock, logger };
      const discovery = await discover({ ...parts, ...(region === undefined ? {} : { region }) }, context.signal);
      await rememberEnterpriseProjects(app.database.pool, account.name, discovery.enterpriseProjects);
      found.push({ account: account.name, ...discovery });
    } catch (error) {
      problems.push(coerceError(error).message);
    }
  }
  const ok = problems.length === 0;
  context.answer({ ok, accounts: found, problems }, () =>
    [...found.map((one) => pasteable(one, app.config.accounts)), ...problems].join('\n\n'),
  );
  return ok ? EXIT.ok : EXIT.incomplete;
}

/** How the account signs in, without secrets. */
function signInOf(auth: Auth): string {
  if (auth.kind !== 'assume-agency') return auth.kind;
  const whose = 'id' in auth.domain ? auth.domain.id : auth.domain.name;
  return `${auth.kind} (${auth.agency} of ${whose}, from ${auth.source.kind})`;
}

/** A YAML snippet to paste under the account in security-sync.yaml. */
function pasteable(
  { account, projects, enterpriseProjects, enterpriseProjectsError }: Discovery & { account: string },
  accounts: readonly Account[],
): string {
  const known = accounts.find(({ name }) => name === account);
  const usable = projects.filter(({ region, enabled }) => region !== null && enabled);
  return [
    `# account ${account} (${known === undefined ? '' : signInOf(known.auth)})`,
    'projects:',
    ...usable.map(({ id, region, name }) => `  - { id: ${id}, region: ${region} }  # ${name}`),
    ...(enterpriseProjectsError === null ? [] : [`# enterprise projects: ${enterpriseProjectsError}`]),
    ...enterpriseProjects.map(
      ({ id, name, enabled }) => `# enterpriseProjectId: ${id}  # ${name}${enabled ? '' : ' (disabled)'}`,
    ),
  ].join('\n');
}
