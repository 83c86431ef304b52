import { createHash } from 'node:crypto';
import type { Secret } from '../../core/account.ts';
import { AccountSuspended, coerceError, SyncError } from '../../core/errors.ts';

/** What a secret is called in messages; a password goes in a body, all others in a header, or sign one. */
export type SecretName = 'access key' | 'secret key' | 'security token' | 'token' | 'id token' | 'password';

/**
 * Reads a secret for use. One that cannot be read, is empty or cannot be sent stops the account before any request, and
 * any place in the quota, is spent on it.
 */
export async function readSecret(secret: Secret, what: SecretName, account: string): Promise<string> {
  const value = await secret().catch((thrown: unknown) => {
    if (thrown instanceof SyncError) throw thrown;
    const { message } = coerceError(thrown);
    const text = `The ${what} of account ${account} cannot be read: ${message}. No request was sent.`;
    throw new AccountSuspended(text, { account }, { cause: thrown });
  });
  // Files end with a newline, which no header may contain.
  const trimmed = value.trim();
  if (trimmed === '') {
    throw new AccountSuspended(`The ${what} of account ${account} is empty. No request was sent.`, { account });
  }
  const problem = problemOf(trimmed, what);
  if (problem !== null) {
    const text = `The ${what} of account ${account} ${problem}: was it changed when it was pasted? No request was sent.`;
    throw new AccountSuspended(text, { account });
  }
  return trimmed;
}

/** Why a secret cannot be the one that was issued; names the character, and nothing around it. */
function problemOf(text: string, what: SecretName): string | null {
  if (/[\r\n]/.test(text)) return 'has a line break in it';
  // Keys and tokens are printable ASCII, which is also all that a header may have; passwords are what people choose.
  const [odd] = (what === 'password' ? /\p{Cc}/u : /[^!-~]/u).exec(text) ?? [];
  if (odd === undefined) return null;
  if (odd === ' ') return 'has a space in it';
  const code = `U+${(odd.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
  return `has a character in it that no ${what} has (${code})`;
}

/** Sixteen hex digits that change with any part of a credential and lead back to none of them. */
export function fingerprintOf(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}
