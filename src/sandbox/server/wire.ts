import type { IncomingMessage, ServerResponse } from 'node:http';
import type { WireRequest } from '../auth/signature.ts';
import type { Delivery } from './fault-replies.ts';
import type { Reply } from './replies.ts';

/** Reads a complete request. */
export async function readRequest(message: IncomingMessage): Promise<WireRequest> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) if (chunk instanceof Buffer) chunks.push(chunk);
  const headers = new Map<string, string>();
  for (let index = 0; index + 1 < message.rawHeaders.length; index += 2) {
    const name = (message.rawHeaders[index] ?? '').toLowerCase();
    const value = message.rawHeaders[index + 1] ?? '';
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before},${value}`);
  }
  return { method: message.method ?? 'GET', target: message.url ?? '/', headers, body: Buffer.concat(chunks) };
}

/** The status line and headers of every response. */
export interface Envelope {
  readonly requestId: string;
  readonly now: number;
}

/** Sends a response, possibly with a transport fault. */
export async function sendReply(
  response: ServerResponse,
  { status, body, headers, ...rest }: Reply & Envelope,
  delivery: Delivery,
): Promise<void> {
  if (delivery.kind === 'late') await delivery.wait();
  if (delivery.kind === 'reset') {
    response.socket?.resetAndDestroy();
    return;
  }
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  // The sandbox's clock may differ from the machine's.
  response.sendDate = false;
  response.writeHead(status, {
    Date: new Date(rest.now).toUTCString(),
    'Content-Type': 'application/json',
    'X-Request-Id': rest.requestId,
    Server: 'sandbox',
    ...headers,
    'Content-Length': bytes.length,
  });
  const half = bytes.length >> 1;
  if (delivery.kind === 'reset-mid-body') {
    // Waits until the first half was sent, so that the reader is in the middle of the body when the connection breaks.
    response.write(bytes.subarray(0, half), () => setImmediate(() => response.socket?.resetAndDestroy()));
    return;
  }
  if (delivery.kind === 'slow') {
    response.write(bytes.subarray(0, half));
    await delivery.wait();
    response.end(bytes.subarray(half));
    return;
  }
  response.end(bytes);
}
