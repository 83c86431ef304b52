import { hashPair, hexOf, seedOf } from '../estate/random.ts';
import type { SandboxSettings } from '../server/options.ts';
import type { SandboxKey } from './identities.ts';

/** The identity behind a request. */
export interface Caller {
  readonly user: string;
  /** The projects it may read; absent means all. */
  readonly projects: readonly string[] | undefined;
}

/** An issued token. */
export interface IssuedToken extends Caller {
  readonly text: string;
  readonly expiresAt: number;
}

/** A key pair and its state. */
export interface KeyState {
  readonly key: SandboxKey;
  readonly expiresAt: number;
  failures: number;
  lockedUntil: number;
}

/** All key pairs and tokens, including those issued at run time. */
export class Credentials {
  readonly #settings: SandboxSettings;
  readonly #keys = new Map<string, KeyState>();
  readonly #tokens = new Map<string, IssuedToken>();
  #issued = 0;

  constructor(settings: SandboxSettings) {
    this.#settings = settings;
    for (const key of settings.keys) this.addKey(key, Number.POSITIVE_INFINITY);
  }

  addKey(key: SandboxKey, expiresAt: number): void {
    this.#keys.set(key.accessKey, { key, expiresAt, failures: 0, lockedUntil: 0 });
  }

  key(accessKey: string): KeyState | undefined {
    return this.#keys.get(accessKey);
  }

  token(text: string): IssuedToken | undefined {
    return this.#tokens.get(text);
  }

  /** Issues a token. Earlier tokens stay valid, as documented. */
  issueToken(caller: Caller): IssuedToken {
    const expiresAt = this.#settings.now() + this.#settings.tokenLifetimeMs;
    const token = { ...caller, text: this.#opaque(this.#settings.tokenLength), expiresAt };
    this.#tokens.set(token.text, token);
    return token;
  }

  /** Revokes all tokens, like a password change. */
  revokeTokens(): void {
    this.#tokens.clear();
  }

  /** Issues a temporary key pair. */
  issueTemporaryKey(caller: Caller, lifetimeMs = this.#settings.temporaryKeyLifetimeMs): KeyState {
    const number = this.#issued + 1;
    const securityToken = this.#opaque(600);
    const seed = this.#seed();
    const key: SandboxKey = {
      accessKey: `HST${hexOf(seed + 1, number, 17).toUpperCase()}`,
      secretKey: hexOf(seed + 2, number, 40),
      securityToken,
      user: caller.user,
      ...(caller.projects === undefined ? {} : { projects: caller.projects }),
    };
    const expiresAt = this.#settings.now() + lifetimeMs;
    this.addKey(key, expiresAt);
    return { key, expiresAt, failures: 0, lockedUntil: 0 };
  }

  /** Text that resembles a signed token: same prefix as real ones, and the requested length. */
  #opaque(length: number): string {
    this.#issued += 1;
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-+';
    const seed = hashPair(this.#seed(), this.#issued);
    let text = `MII${hexOf(seed, this.#issued, 16)}`;
    for (let index = 0; text.length < length; index += 1)
      text += alphabet[hashPair(seed, index) % alphabet.length] ?? 'A';
    return text;
  }

  #seed(): number {
    return seedOf(`${this.#settings.seed} credentials`);
  }
}
