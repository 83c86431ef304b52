import { createHash } from 'node:crypto';
import type { Config } from '../config.ts';
import type { Stream } from '../core/stream/stream.ts';

/**
 * What tells configurations apart that share a database: which streams are read where, and when. Services with the same one
 * divide their lanes among themselves; those of others are none of their business.
 */
export function fingerprintOf(
  { scopes, streams: settings }: Pick<Config, 'scopes' | 'streams'>,
  streams: readonly Stream[],
): string {
  const places = scopes.map((scope) => [scope.account, scope.region, scope.projectId, scope.enterpriseProjectId]);
  const times = streams.map(({ name, schedule }) => [name, settings[name]?.schedule ?? schedule]);
  const text = JSON.stringify([places, times].map((list) => list.map((one) => one.join(' ')).sort()));
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
