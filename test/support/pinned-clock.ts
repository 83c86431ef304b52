import { pinClock } from './clock.ts';

/** Loaded before a test file, and by Node itself (`--import`) in the processes that tests start. */
pinClock();
