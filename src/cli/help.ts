/** The part of a command's help below its options. */
export interface Help {
  /** Command lines with their purpose. */
  readonly examples: readonly (readonly [line: string, purpose: string])[];
  /** Exit code -> when it is used. All commands share 2 (usage or configuration) and 3 (database). */
  readonly exit: Readonly<Record<number, string>>;
  readonly read: string;
}

const STOPPED = { 0: 'it was stopped' } as const;

/** Help by command name. */
export const HELP: Readonly<Record<string, Help>> = {
  run: {
    examples: [
      ['run', 'poll until SIGTERM or Ctrl-C; the status page is on http://127.0.0.1:8080'],
      ['run --config /etc/security-sync.yaml', 'with another configuration'],
    ],
    exit: STOPPED,
    read: 'docs/operations.md',
  },
  sync: {
    examples: [
      ['sync', 'every stream once'],
      ['sync hss_cluster_events', 'one stream, and the streams it needs'],
      ['sync hss_cluster_events --full', 'reads all of its list, regardless of certificates'],
    ],
    exit: { 0: 'everything is certified', 1: 'something failed, or could not be proven complete' },
    read: 'docs/operations.md',
  },
  check: {
    examples: [
      ['check', 'what may these credentials read?'],
      ['check --discover', 'which projects and regions do they reach?'],
    ],
    exit: { 0: 'every list may be read', 1: 'some may not' },
    read: 'docs/operations.md, "At 3 a.m."',
  },
  status: {
    examples: [
      ['status', 'what is wrong, how old is the data, and what is proven?'],
      ['status --check', 'for a monitor: the exit code is the verdict'],
    ],
    exit: {
      0: 'the status was printed; with --check, every table is fresh and proven',
      1: 'with --check: a table is stale, late, failed, unproven or was never read',
    },
    read: 'docs/operations.md, "At 3 a.m."',
  },
  plan: {
    examples: [['plan', 'how long does the first load take, and how fresh can the tables be kept?']],
    exit: { 0: 'the plan was printed', 1: 'the API did not tell the size of any list' },
    read: 'docs/configuration.md, "Streams"',
  },
  verify: {
    examples: [
      ['verify hss_cluster_events', 'does the table equal the API?'],
      ['verify --json', 'with every difference, for programs'],
    ],
    exit: { 0: 'the tables equal the API', 1: 'they differ, or something was never read or not proven' },
    read: 'docs/operations.md',
  },
  replay: {
    examples: [['replay', 'after an upgrade: are the stored rejects rows now?']],
    exit: { 0: 'no reject is left', 1: 'some are' },
    read: 'docs/operations.md, "At 3 a.m."',
  },
  reset: {
    examples: [
      ['reset hss_cluster_events', 'read all of it with the next run'],
      ['reset --project 84b5266c14ae489fa6549827f032dc62', 'remove a project with all its rows'],
    ],
    exit: { 0: 'it was done', 1: 'not confirmed, or another process is running the stream in at least one project' },
    read: 'docs/operations.md, "Remove a project"',
  },
  migrate: {
    examples: [['migrate', 'create the tables, or upgrade them']],
    exit: { 0: 'the tables are up to date' },
    read: 'docs/operations.md, "Upgrade"',
  },
  roles: {
    examples: [
      ['roles --print', 'what would be granted?'],
      ['roles', 'create the roles; DATABASE_URL must name a role that may create roles'],
      ['roles --owner o2 --writer w2 --reader r2', 'for a second installation on one server'],
    ],
    exit: { 0: 'the roles exist' },
    read: 'docs/operations.md, "Roles"',
  },
  streams: {
    examples: [
      ['streams', 'what can be read, and what is enabled?'],
      ['streams hss_cluster_events', 'what does its table hold?'],
      ['streams --markdown > docs/tables.md', 'the page of the documentation'],
    ],
    exit: { 0: 'the catalogue was printed' },
    read: 'docs/tables.md',
  },
  sandbox: {
    examples: [
      ['sandbox', 'an API server on port 8099 with generated data; prints a configuration'],
      ['sandbox --events 20000 --churn 60 --quota 0', 'a larger one that changes once a second, without a quota'],
    ],
    exit: STOPPED,
    read: 'docs/operations.md',
  },
  demo: {
    examples: [
      ['demo', 'everything at once, in ./.data/demo; needs neither key nor database'],
      ['demo --directory /tmp/demo', 'somewhere else'],
    ],
    exit: STOPPED,
    read: 'README.md, "Try it"',
  },
};

const ALWAYS = { 2: 'usage or configuration', 3: 'database' } as const;

/** Examples, exit codes and further reading, as `--help` shows them. */
export function helpText({ examples, exit, read }: Help): string {
  const width = Math.max(...examples.map(([line]) => line.length));
  return [
    '',
    'Examples:',
    ...examples.map(([line, purpose]) => `  security-sync ${line.padEnd(width)}  ${purpose}`),
    '',
    'Exit codes:',
    ...Object.entries({ ...exit, ...ALWAYS }).map(([code, when]) => `  ${code}  ${when}`),
    '',
    `Read on: ${read}`,
  ].join('\n');
}
