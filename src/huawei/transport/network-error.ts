import { coerceError, Unreachable } from '../../core/errors.ts';
import { oneLine } from '../requests/api-failure.ts';
import { type CallSite, contextOf, serviceName, siteText } from '../requests/classify.ts';
import { Transient } from '../requests/transient.ts';
import { TOO_LARGE_DECODED, UNKNOWN_ENCODING } from './content-encoding.ts';

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_|^ERR_TLS/;

/** Where another attempt would end the same way, and what a person can do about it. */
const HOPELESS: Readonly<Record<string, string>> = {
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'The answer is larger than 32 MB, which no page of this API is: check the endpoint.',
  [TOO_LARGE_DECODED]:
    'The answer is larger than 32 MB when it is decoded, which no page of this API is: check any proxy.',
  [UNKNOWN_ENCODING]: 'Only gzip and br were asked for, and deflate and zstd are read as well: check any proxy.',
  // undici found a character that no header may contain, and sent nothing.
  UND_ERR_INVALID_ARG: 'No request was sent: check the credentials for line breaks and invisible characters.',
  UND_ERR_HEADERS_OVERFLOW: 'The answer has more than 64 KB of headers: check the endpoint and any proxy.',
};

/** What a failed exchange means: `Transient` when another attempt may go through, `Unreachable` when none will. */
export function networkError(thrown: unknown, site: CallSite): Transient | Unreachable {
  const error = coerceError(thrown);
  const code = codeOf(error);
  const certificate = CERTIFICATE.test(code);
  const advice = certificate
    ? 'The certificate is not trusted: if a company proxy re-signs traffic, name its CA file in NODE_EXTRA_CA_CERTS.'
    : (HOPELESS[code] ?? 'Check network, proxy and endpoint.');
  const isLate = error.name === 'TimeoutError';
  const reason = isLate ? 'no complete answer in the time a page has' : (oneLine(error.message) ?? error.name);
  const named = code === '' || reason.includes(code) ? reason : `${code} ${reason}`;
  const failure = new Unreachable(
    `${serviceName(site.service)} gave no answer: ${named} (${siteText(site, { requestId: null })}). ${advice}`,
    { ...contextOf(site), networkCode: code === '' ? null : code },
    { cause: error },
  );
  return certificate || code in HOPELESS ? failure : new Transient(failure);
}

function codeOf(error: Error): string {
  if ('code' in error && typeof error.code === 'string') return error.code;
  // Several addresses tried: what happened at the first one speaks for all.
  if (error instanceof AggregateError && error.errors[0] instanceof Error) return codeOf(error.errors[0]);
  return error.cause instanceof Error ? codeOf(error.cause) : '';
}
