/** `3 s`, `12 min`, `5 h`, `9 d`. */
export function duration(ms: number): string {
  if (ms < 10_000) return `${(Math.max(0, ms) / 1000).toFixed(1).replace(/\.0$/, '')} s`;
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} d`;
}

export function since(at: Date, now: number): string {
  return `${duration(now - at.getTime())} ago`;
}

export function until(at: Date, now: number): string {
  return at.getTime() <= now ? 'now' : `in ${duration(at.getTime() - now)}`;
}
