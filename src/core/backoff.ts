/**
 * Delay before attempt `attempt + 1` (attempts count from 1), in ms: exponential with half to one-and-a-half jitter, so
 * that replicas do not come back together. `retryAfterMs`, when the server names it, is the floor.
 */
export function backoffMs(attempt: number, random: number, retryAfterMs: number | null = null): number {
  const base = Math.min(500 * 2 ** (attempt - 1), 8_000);
  return Math.max(retryAfterMs ?? 0, base * (0.5 + random));
}
