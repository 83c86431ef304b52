import type { z } from 'zod';
import { parseJson } from '../../core/stream/json.ts';

/** What a reply says; null where it has another shape. Never tells of the text itself, which may hold half a secret. */
export function replyIn<T>(schema: z.ZodType<T>, text: string): T | null {
  try {
    return schema.safeParse(parseJson(text)).data ?? null;
  } catch {
    return null;
  }
}
