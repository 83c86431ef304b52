import type { Stream } from '../../../core/stream/stream.ts';
import { ALARM_INDEXES, ALARM_VIEWS, EVENT_INDEXES, EVENT_VIEWS } from './alarms.ts';
import { AUDIT_INDEXES, AUDIT_VIEWS } from './audit.ts';
import { RISK_VIEWS, VULNERABILITY_INDEXES, VULNERABILITY_VIEWS } from './containers.ts';
import { healthViews } from './health.ts';
import { HOST_RISK_VIEWS, HOST_VULNERABILITY_VIEWS } from './host-findings.ts';
import { BASELINE_VIEWS, HOST_VIEWS } from './hosts.ts';
import type { View } from './view.ts';

/** All views of the schema `bi`. None is made from another, so their order does not matter. */
export function biViews(streams: readonly Stream[]): readonly View[] {
  return [
    ...EVENT_VIEWS,
    ...RISK_VIEWS,
    ...VULNERABILITY_VIEWS,
    ...HOST_VIEWS,
    ...HOST_VULNERABILITY_VIEWS,
    ...ALARM_VIEWS,
    ...BASELINE_VIEWS,
    ...HOST_RISK_VIEWS,
    ...AUDIT_VIEWS,
    ...healthViews(streams),
  ];
}

/** Indexes that the views filter by: name -> table and expressions. */
export function biIndexes(): Readonly<Record<string, string>> {
  return { ...EVENT_INDEXES, ...VULNERABILITY_INDEXES, ...ALARM_INDEXES, ...AUDIT_INDEXES };
}
