import { writeFileSync } from 'node:fs';

/** Preloaded into the measured process: writes its resource usage when it exits. */
process.on('exit', () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const usage = { cpuMs: (userCPUTime + systemCPUTime) / 1000, peakMb: maxRSS / 1024 };
  const file = process.env.BENCH_USAGE;
  if (file !== undefined) writeFileSync(file, JSON.stringify(usage));
});
