import { setTimeout as sleep } from 'node:timers/promises';
import { expiredToken } from '../auth/authenticate.ts';
import { throttled } from '../auth/quota.ts';
import type { Fault } from './faults.ts';
import type { Service } from './operations.ts';
import type { SandboxSettings } from './options.ts';
import { isObject } from './parameters.ts';
import { permissionError, type Reply, serverError, textReply } from './replies.ts';

/** The inputs of a faulty reply. */
export interface FaultContext {
  readonly settings: SandboxSettings;
  readonly service: Service;
  readonly requestId: string;
  readonly projectId: string | undefined;
}

/** How a reply is sent; `as-is` unless a fault changes it. */
export type Delivery =
  | { readonly kind: 'as-is' }
  | { readonly kind: 'reset' | 'reset-mid-body' }
  | { readonly kind: 'slow' | 'late'; readonly wait: () => Promise<unknown> };

const HTML_HEADERS = { 'Content-Type': 'text/html' } as const;
const BAD_GATEWAY =
  '<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n';
const LOGIN_PAGE =
  '<!DOCTYPE html><html><head><title>Sign in</title></head><body><form action="/login"></form></body></html>';

/** The response that a fault sends instead of the service; undefined for faults that only damage the service's own. */
export function faultReply(fault: Fault, { settings, service, requestId, projectId }: FaultContext): Reply | undefined {
  switch (fault.kind) {
    case 'bad-gateway':
      return { status: 502, body: BAD_GATEWAY, headers: HTML_HEADERS };
    case 'html':
      return { status: 200, body: LOGIN_PAGE, headers: HTML_HEADERS };
    case 'throttled': {
      const limit = settings.quota > 0 ? settings.quota : 5;
      const reply = throttled(settings, { dimension: 'user', limit, requestId, waitMs: settings.quotaWindowMs });
      if (fault.retryAfterSeconds === undefined) return reply;
      return { ...reply, headers: { 'Retry-After': `${fault.retryAfterSeconds}` } };
    }
    case 'server-error':
      return { ...serverError(service, requestId), status: fault.status ?? 500 };
    case 'forbidden':
      return permissionError(service, `project ${projectId ?? ''}`);
    case 'token-expired':
      return expiredToken(requestId);
    case 'reply':
      return { status: fault.status ?? 200, body: fault.body ?? '', headers: fault.headers ?? {} };
    default:
      return undefined;
  }
}

/** Damages the body of a good response, if the fault does that. */
export function spoil(fault: Fault | undefined, reply: Reply): Reply {
  if (fault?.kind !== 'truncated' && fault?.kind !== 'no-list' && fault?.kind !== 'double-key') return reply;
  const { body: text } = textReply(reply);
  if (fault.kind === 'truncated') return { ...reply, body: text.slice(0, Math.floor(text.length / 2)) };
  const body: unknown = JSON.parse(text);
  if (!isObject(body)) return reply;
  if (fault.kind === 'double-key') {
    const members = Object.entries(body).map(([name, value]) => [name, Array.isArray(value) ? doubled(value) : value]);
    return { ...reply, body: JSON.stringify(Object.fromEntries(members)) };
  }
  const kept = Object.entries(body).filter(([, value]) => !Array.isArray(value));
  return { ...reply, body: JSON.stringify(Object.fromEntries(kept)) };
}

/** The list with a second record that has the key of the first; it replaces the second record if there is one. */
function doubled(list: readonly unknown[]): readonly unknown[] {
  const [first, , ...rest] = list;
  return isObject(first) ? [first, altered(first), ...rest] : list;
}

/** The record with an additional member, inside its wrapper if it has one. */
function altered(record: Readonly<Record<string, unknown>>): unknown {
  const [[name, only] = ['', null], ...others] = Object.entries(record);
  return others.length === 0 && isObject(only) ? { [name]: altered(only) } : { ...record, doubled: true };
}

/** How a response with a fault is sent. */
export function deliveryOf(fault: Fault | undefined): Delivery {
  if (fault?.kind === 'reset' || fault?.kind === 'reset-mid-body') return { kind: fault.kind };
  if (fault?.kind === 'slow' || fault?.kind === 'late') {
    const { kind, delayMs = 1_000 } = fault;
    const sleepOn = () => sleep(delayMs, undefined, { ref: false });
    return { kind, wait: kind === 'late' ? (fault.meanwhile ?? sleepOn) : sleepOn };
  }
  return { kind: 'as-is' };
}
