import { hash } from 'node:crypto';

/** SHA-256 of a text, as 64 hexadecimal digits. */
export function sha256(text: string): string {
  return hash('sha256', text, 'hex');
}

/** Half a SHA-256 in hexadecimal: 128 bits tell rows apart, in half the space. */
export function shortHash(text: string): string {
  return hash('sha256', text, 'hex').slice(0, 32);
}
