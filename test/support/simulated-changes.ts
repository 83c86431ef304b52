import type { Shape } from './simulated-dimensions.ts';
import type { Estate, Item, Kind } from './simulated-estate.ts';

/** Clocks of writing servers differ by less than this. */
const LATE_MS = 290_000;

const HOUR_MS = 3_600_000;

/** Lists whose rows nothing else is about. */
const BY_THEMSELVES: readonly Kind[] = ['checks', 'events', 'reports'];

/** What there is before anything is read. */
export function fill(estate: Estate, group: readonly Kind[], { isOverCap, isLong }: Partial<Shape>): void {
  const { random } = estate;
  const many = isLong
    ? random.pick([150, 500, 900])
    : isOverCap
      ? random.pick([60, 150, 250])
      : random.pick([8, 30, 60, 150]);
  const spread = random.pick([1, 1000, 60_000, HOUR_MS]);
  const repeat = (times: number, add: () => void) => {
    for (let left = times; left > 0; left -= 1, estate.now += 1 + Math.floor(random.between(0, spread))) add();
  };
  if (group.includes('events')) {
    repeat((isOverCap ? 1 : 2) + random.int(5), () => estate.add('clusters'));
    repeat(random.int(many), () => newEvent(estate));
  } else if (group.includes('vulnerabilities')) {
    repeat(random.int(many / 2), () => newVulnerability(estate));
  } else {
    repeat(1 + random.int(3), () => estate.add('instances'));
    repeat(random.int(30), () => estate.add('checks'));
    repeat(random.int(many), () => newReport(estate));
  }
  for (const item of group.flatMap((kind) => estate.items[kind])) {
    if (random.chance(0.2)) repeat(1, () => estate.touch(item));
  }
}

/** Many rows change one after the other or at one moment, or as many come as go, which no count shows. */
export function changeMany(estate: Estate, kind: Kind, isAtOnce: boolean): void {
  const { random } = estate;
  const isExchange = random.chance(0.5) && BY_THEMSELVES.includes(kind);
  for (const item of [...estate.items[kind]]) {
    if (!random.chance(isAtOnce ? 0.8 : 0.4)) continue;
    if (!isAtOnce) estate.now += 1;
    if (isExchange) exchange(estate, item);
    else estate.touch(item);
  }
}

/** Something that happens to lists of a kind. */
export function change(estate: Estate, kind: Kind): void {
  CHANGES[kind](estate);
}

const CHANGES: Readonly<Record<Kind, (estate: Estate) => void>> = {
  clusters: changeClusters,
  checks: changeChecks,
  events: changeEvents,
  vulnerabilities: changeVulnerabilities,
  operations: changeVulnerabilities,
  instances: changeInstances,
  reports: changeReports,
};

function changeReports(estate: Estate): void {
  const { random } = estate;
  const what = random();
  const item = estate.any('reports');
  if (what < 0.4 || item === undefined) newReport(estate, random.chance(0.1) ? random.between(0, LATE_MS) : 0);
  else if (what < 0.8) estate.touch(item);
  else estate.remove(random.chance(0.5) ? item : (estate.oldest('reports') ?? item));
}

function changeClusters(estate: Estate): void {
  const what = estate.random();
  const item = estate.any('clusters');
  if (what < 0.3 || item === undefined) estate.add('clusters');
  else if (what < 0.8) estate.touch(item);
  else if (estate.random.chance(0.3) || !estate.items.events.some(({ params }) => params.cluster_id === item.id)) {
    for (const one of estate.items.events.filter(({ params }) => params.cluster_id === item.id)) estate.remove(one);
    estate.remove(item);
  }
}

function changeChecks(estate: Estate): void {
  const what = estate.random();
  const item = estate.any('checks');
  if (what < 0.3 || item === undefined) estate.add('checks');
  else if (what < 0.8) estate.touch(item);
  else estate.remove(item);
}

function changeEvents(estate: Estate): void {
  const { random } = estate;
  const what = random();
  const item = estate.any('events');
  if (what < 0.4 || item === undefined) newEvent(estate, random.chance(0.1) ? random.between(0, LATE_MS) : 0);
  else if (what < 0.75) estate.touch(item);
  else estate.remove(what < 0.87 ? item : (estate.oldest('events') ?? item));
}

function changeVulnerabilities(estate: Estate): void {
  const { random } = estate;
  const what = random();
  const item = estate.any('vulnerabilities');
  if (what < 0.3 || item === undefined) newVulnerability(estate);
  else if (what < 0.6) handle(estate, item);
  else if (what < 0.7) newOperation(estate, item);
  else if (what < 0.85) estate.touch(item);
  else {
    estate.remove(item);
    if (estate.items.vulnerabilities.some((other) => isSameVulnerability(other, item))) return;
    for (const one of estate.items.operations.filter(({ params }) => params.vul_id === item.id)) estate.remove(one);
  }
}

function changeInstances(estate: Estate): void {
  const what = estate.random();
  const item = estate.any('instances');
  if (what < 0.2 || item === undefined) estate.add('instances');
  else if (what < 0.9) estate.touch(item);
  else {
    estate.remove(item);
    for (const one of estate.items.reports.filter(({ params }) => params.instance_id === item.id)) estate.remove(one);
  }
}

/** One goes, and another comes into the same list: no count shows it. */
export function exchange(estate: Estate, item: Item): void {
  const { kind, params, project } = item;
  estate.remove(item);
  estate.add(kind, { params, project });
}

export function newEvent(estate: Estate, late = 0): void {
  const cluster = estate.any('clusters');
  if (cluster === undefined) return;
  // The clusters of a project stay in it.
  const project = `ep${Number(cluster.id.slice(-6)) % 3}`;
  estate.add('events', { params: { cluster_id: cluster.id }, project, create: estate.now - Math.floor(late) });
}

export function newVulnerability(estate: Estate, handled = 0.3): void {
  const { random } = estate;
  const params = {
    image_type: random.pick(['local_image', 'registry']),
    type: random.pick(['linux_vul', 'app_vul']),
    handle_status: 'unhandled',
  };
  const item = estate.add('vulnerabilities', { params });
  if (random.chance(handled)) handle(estate, item);
}

/** To the other of the two lists, which brings a line in the handling history. */
export function handle(estate: Estate, item: Item): void {
  const handle_status = item.params.handle_status === 'handled' ? 'unhandled' : 'handled';
  estate.remove(item);
  estate.add('vulnerabilities', { id: item.id, params: { ...item.params, handle_status } });
  newOperation(estate, item);
}

function newOperation(estate: Estate, { id, params: { image_type = '' } }: Item): void {
  estate.add('operations', { params: { vul_id: id, image_type } });
}

export function newReport(estate: Estate, late = 0): void {
  const instance = estate.any('instances');
  if (instance === undefined) return;
  estate.add('reports', { params: { instance_id: instance.id }, create: estate.now - Math.floor(late) });
}

function isSameVulnerability(a: Item, b: Item): boolean {
  return a.id === b.id && a.params.image_type === b.params.image_type;
}
