import type { Call } from '../server/call.ts';
import { dig } from '../server/parameters.ts';
import { iamError, type Reply } from '../server/replies.ts';

const isoMicro = (time: number): string => new Date(time).toISOString().replace('Z', '000Z');

/** Issues a token for a name and a password. It is sent in a header, as by the real API. */
export function createToken({ settings, credentials, body, query }: Call): Reply {
  const identity = dig(body, 'auth', 'identity');
  const user = dig(identity, 'password', 'user');
  const methods = dig(identity, 'methods');
  if (!Array.isArray(methods) || !methods.includes('password')) {
    return iamError(
      400,
      'Bad Request',
      'Expecting to find methods in identity: password is the only one supported here.',
    );
  }
  const known = settings.passwordUsers.find(
    (each) =>
      each.name === dig(user, 'name') &&
      each.password === dig(user, 'password') &&
      each.domain === dig(user, 'domain', 'name'),
  );
  if (known === undefined) return iamError(401, 'Unauthorized', 'The username or password is wrong.');
  const wanted = dig(body, 'auth', 'scope', 'project');
  const project = settings.projects.find(
    (each) => each.id === dig(wanted, 'id') || (each.name ?? each.region) === dig(wanted, 'name'),
  );
  const permitted = project === undefined || (known.projects?.includes(project.id) ?? true);
  if (wanted !== undefined && (project === undefined || !permitted)) {
    return iamError(401, 'Unauthorized', 'The project does not exist or is not accessible to the user.');
  }
  // A token is valid for the project in its scope; a domain token for every project its user may read.
  const projects = project === undefined ? known.projects : [project.id];
  const token = credentials.issueToken({ user: known.name, projects });
  const domain = { id: settings.domain.id, name: known.domain };
  const content = {
    token: {
      expires_at: isoMicro(token.expiresAt),
      issued_at: isoMicro(settings.now()),
      methods: ['password'],
      ...(project === undefined
        ? { domain }
        : { project: { id: project.id, name: project.name ?? project.region, domain } }),
      roles: [{ id: '0', name: 'te_agency' }],
      user: { id: '7116d09f88fa41908676fdd4b039e95b', name: known.name, domain, password_expires_at: '' },
      ...(query.get('nocatalog') === 'true' ? {} : { catalog: [] }),
    },
  };
  return { status: 201, body: JSON.stringify(content), headers: { 'X-Subject-Token': token.text } };
}

/** The projects of the account, optionally filtered by name. */
export function listProjects({ settings, query, caller }: Call): Reply {
  const name = query.get('name');
  const projects = settings.projects
    .filter((each) => caller?.projects?.includes(each.id) ?? true)
    .map((each) => ({
      id: each.id,
      name: each.name ?? each.region,
      domain_id: settings.domain.id,
      parent_id: settings.domain.id,
      enabled: true,
      is_domain: false,
      description: '',
    }))
    .filter((each) => name === null || each.name === name);
  return { status: 200, body: JSON.stringify({ links: {}, projects }) };
}

/** The account itself. */
export function listDomains({ settings }: Call): Reply {
  const domains = settings.domainsListed ? [{ ...settings.domain, enabled: true, description: '' }] : [];
  return { status: 200, body: JSON.stringify({ links: {}, domains }) };
}

/** The enterprise projects of the account (EPS). */
export function listEnterpriseProjects({ settings, query }: Call): Reply {
  const offset = Number(query.get('offset') ?? '0');
  const limit = Number(query.get('limit') ?? '1000');
  if (!(offset >= 0 && limit >= 1 && limit <= 1_000)) {
    return {
      status: 400,
      body: JSON.stringify({ error: { error_code: 'EPS.0004', error_msg: 'Invalid offset or limit.' } }),
    };
  }
  const name = query.get('name') ?? '';
  const id = query.get('id');
  const matching = settings.enterpriseProjects
    .filter((each) => each.name.includes(name) && (id === null || each.id === id))
    .map((each) => ({
      ...each,
      status: 1,
      created_at: '2024-02-18T07:24:16Z',
      updated_at: '2024-02-18T07:24:16Z',
      type: 'prod',
      delete_flag: false,
    }));
  const body = { enterprise_projects: matching.slice(offset, offset + limit), total_count: matching.length };
  return { status: 200, body: JSON.stringify(body) };
}
