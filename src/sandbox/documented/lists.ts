import { ALARM_LISTS } from './entries/alarms.ts';
import { BASELINE_LISTS } from './entries/baseline.ts';
import { CONTAINER_LISTS } from './entries/containers.ts';
import { AUDIT_LISTS } from './entries/dbss.ts';
import { HOST_LISTS } from './entries/hosts.ts';
import { IMAGE_LISTS } from './entries/images.ts';
import { VULNERABILITY_LISTS } from './entries/vulnerabilities.ts';

/** Every list generated from the facts. */
export const DOCUMENTED_LISTS = [
  ...HOST_LISTS,
  ...ALARM_LISTS,
  ...VULNERABILITY_LISTS,
  ...BASELINE_LISTS,
  ...IMAGE_LISTS,
  ...CONTAINER_LISTS,
  ...AUDIT_LISTS,
];

/** The operations of those lists. */
export type DocumentedOperation = (typeof DOCUMENTED_LISTS)[number]['operation'];

const OPERATIONS: ReadonlySet<string> = new Set(DOCUMENTED_LISTS.map(({ operation }) => operation));

/** Whether a list is generated from the facts. */
export function isDocumented(operation: string): operation is DocumentedOperation {
  return OPERATIONS.has(operation);
}
