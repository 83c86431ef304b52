/**
 * Everything a stream file needs, as exported by the package (`huaweicloud-security-sync/stream`):
 *
 * import { defineStream, fixed, hss, instant, offsetPaging, text } from 'huaweicloud-security-sync/stream';
 */

export { offsetPaging, type Paging, pagePaging, wholePaging } from './core/stream/endpoint.ts';
export {
  type ColumnType,
  type ColumnValue,
  computed,
  decimal,
  type Field,
  type Fields,
  flag,
  identity,
  inside,
  instant,
  int,
  json,
  parsedFrom,
  text,
  zonelessTime,
} from './core/stream/fields.ts';
export { sha256 } from './core/stream/json.ts';
export { childOf, defineStream, type Stream, type StreamDefinition } from './core/stream/stream.ts';
export { dbss, hss } from './core/stream/table.ts';
export { timeWindow } from './core/stream/time.ts';
export { asked, fixed, moving, type OrderColumn } from './core/walk/order.ts';
