import { dbssParameterError, hssParameterError, Refusal } from './replies.ts';

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value at a path in parsed JSON, or undefined. */
export function dig(value: unknown, ...path: readonly string[]): unknown {
  let at = value;
  for (const key of path) at = isObject(at) ? at[key] : undefined;
  return at;
}

/** The offset and limit of an HSS list. */
export interface Window {
  readonly offset: number;
  readonly limit: number;
}

/** Parses offset and limit with the documented ranges; some lists have no default for them. */
export function hssWindow(query: URLSearchParams, required: 'required' | 'optional'): Window {
  return {
    offset: hssInteger(query, {
      name: 'offset',
      low: 0,
      high: 2_000_000,
      preset: required === 'required' ? undefined : 0,
    }),
    limit: hssInteger(query, { name: 'limit', low: 10, high: 200, preset: required === 'required' ? undefined : 10 }),
  };
}

interface IntegerParameter {
  readonly name: string;
  readonly low: number;
  readonly high: number;
  readonly preset: number | undefined;
}

function hssInteger(query: URLSearchParams, { name, low, high, preset }: IntegerParameter): number {
  const text = query.get(name);
  if (text === null) {
    if (preset === undefined) throw new Refusal(hssParameterError(`${name} is required`));
    return preset;
  }
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= low && value <= high)) {
    throw new Refusal(hssParameterError(`${name} must be an integer between ${low} and ${high}`));
  }
  return value;
}

/** A required text of 1 to 256 characters. */
export function hssRequired(query: URLSearchParams, name: string): string {
  const value = hssOptional(query, name);
  if (value === undefined) throw new Refusal(hssParameterError(`${name} is required`));
  return value;
}

/** An optional text of 1 to 256 characters. */
export function hssOptional(query: URLSearchParams, name: string): string | undefined {
  const value = query.get(name);
  if (value === null) return undefined;
  if (value.length < 1 || value.length > 256) {
    throw new Refusal(hssParameterError(`${name} must have 1 to 256 characters`));
  }
  return value;
}

/** An optional text from a documented set. */
export function hssChoice<T extends string>(
  query: URLSearchParams,
  name: string,
  choices: readonly T[],
): T | undefined {
  const value = hssOptional(query, name);
  if (value === undefined) return undefined;
  const choice = choices.find((each) => each === value);
  if (choice === undefined) throw new Refusal(hssParameterError(`${name} must be one of ${choices.join(', ')}`));
  return choice;
}

/** A required text from a documented set. */
export function hssRequiredChoice<T extends string>(query: URLSearchParams, name: string, choices: readonly T[]): T {
  const choice = hssChoice(query, name, choices);
  if (choice === undefined) throw new Refusal(hssParameterError(`${name} is required`));
  return choice;
}

/** A whole number in a DBSS body. */
export function dbssInteger(body: unknown, name: string): number {
  const value = dig(body, name);
  if (value === undefined || value === null) throw new Refusal(dbssParameterError(`${name} is required`));
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1) {
    throw new Refusal(dbssParameterError(`${name} must be a positive integer`));
  }
  return value;
}

/** A number that DBSS takes as text in the query. */
export function dbssText(query: URLSearchParams, name: string, preset: number): number {
  const text = query.get(name);
  if (text === null) return preset;
  if (!/^\d{1,9}$/.test(text)) throw new Refusal(dbssParameterError(`${name} must be a number`));
  return Number(text);
}
