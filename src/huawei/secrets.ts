import { createHash } from 'node:crypto';
import type { Secret } from '../core/account.ts';
import { AccountSuspended, coerceError, SyncError } from '../core/errors.ts';

/** Reads a secret for use. One that cannot be read, or is empty, stops the account before any request is sent. */
export async function readSecret(secret: Secret, what: string, account: string): Promise<string> {
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
  return trimmed;
}

/** Sixteen hex digits that change with any part of a credential and lead back to none of them. */
export function fingerprintOf(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}
