/** What lists are about, in the order in which they are shown: people switch lists on and off by it. */
export const GROUPS = {
  containers: 'Clusters, their nodes and containers, and what the cluster protection found.',
  hosts: 'Hosts, their protection, accounts and software, and the alarms about them.',
  vulnerabilities: 'Vulnerabilities of hosts, and what was done about them.',
  baseline: 'Configuration checks, weak passwords and password rules.',
  images: 'Container images, and the vulnerabilities and risks in them.',
  malware: 'Malware that was found, and what was isolated.',
  webtamper: 'Web tamper protection: changes of protected files and applications.',
  ransomware: 'Ransomware protection of hosts.',
  dbss: 'Database audit instances, their databases, alarms, reports and rules.',
  settings: 'Quotas and whitelists: what the services were told.',
} as const;

export type Group = keyof typeof GROUPS;

export const GROUP_NAMES: readonly Group[] = Object.keys(GROUPS).filter((name): name is Group => name in GROUPS);

/** Items in the order of {@link GROUPS}, with the group of each; groups without items are left out. */
export function byGroup<T>(
  items: readonly T[],
  groupOf: (item: T) => Group,
): readonly (readonly [Group, readonly T[]])[] {
  const grouped = Map.groupBy(items, groupOf);
  return GROUP_NAMES.flatMap((group) => {
    const found = grouped.get(group);
    return found === undefined ? [] : [[group, found] as const];
  });
}
