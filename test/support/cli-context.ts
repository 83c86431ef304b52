import type { Context } from '../../src/cli/context.ts';

export interface Answer {
  readonly context: Context;
  /** What a person would read on stdout, so far. */
  readonly text: string;
  readonly document: unknown;
}

/** A context for a command that is called in this process; the answer is kept instead of written. */
export function capturing(configFile: string, signal: AbortSignal = new AbortController().signal): Answer {
  const answer: { text: string; document: unknown } = { text: '', document: undefined };
  const context: Context = {
    json: false,
    io: process,
    signal,
    configFile,
    answer(document, text) {
      answer.document = document;
      answer.text += text();
    },
    say(line) {
      answer.text += `${line}\n`;
    },
  };
  return Object.assign(answer, { context });
}
