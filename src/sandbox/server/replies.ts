import type { Service } from './operations.ts';

/** A response. */
export interface Reply {
  readonly status: number;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A response whose body can be read. */
export interface TextReply extends Reply {
  readonly body: string;
}

/** The response with its body as text. */
export function textReply(reply: Reply): TextReply {
  return { ...reply, body: reply.body.toString() };
}

/** A refusal, thrown by a check and sent as the response. */
export class Refusal extends Error {
  readonly reply: Reply;

  constructor(reply: Reply) {
    super(textReply(reply).body);
    this.name = 'Refusal';
    this.reply = reply;
  }
}

/** A successful response with a JSON body as text. */
export function ok(body: string | Buffer): Reply {
  return { status: 200, body };
}

interface GatewayError {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

/** An error of the gateway, which is in front of all services. */
export function gatewayError(requestId: string, { status, code, message }: GatewayError): Reply {
  return { status, body: JSON.stringify({ error_code: code, error_msg: message, request_id: requestId }) };
}

/** A parameter that HSS refuses. */
export function hssParameterError(description: string): Reply {
  return hssError('HSS.0001', 'Invalid parameter.', description);
}

function hssError(code: string, message: string, description: string): Reply {
  return {
    status: 400,
    body: JSON.stringify({ error_code: code, error_msg: message, error_description: description }),
  };
}

/** A parameter that DBSS refuses. */
export function dbssParameterError(message: string): Reply {
  return dbssError(400, 'DBSS.10000001', `Invalid parameter: ${message}`);
}

/** An error in the documented format of the report list for 400, 401, 403 and 500. */
function dbssError(status: number, code: string, message: string): Reply {
  const body = { error_code: code, error_msg: message, details: [], encoded_authorization_message: '' };
  return { status, body: JSON.stringify(body) };
}

/** An error of IAM. */
export function iamError(status: number, title: string, message: string): Reply {
  return { status, body: JSON.stringify({ error: { code: status, message, title } }) };
}

/**
 * The response to a caller without permission, and to an unknown project: a service does not tell apart what does not
 * exist and what is forbidden. HSS sends a 400. DBSS documents a 403 without a code; the code here continues the
 * published block of authentication codes (DBSS.10020100).
 */
export function permissionError(service: Service, what: string): Reply {
  if (service === 'hss') return hssError('HSS.0013', 'Insufficient permission.', `No permission for ${what}.`);
  if (service === 'dbss') return dbssError(403, 'DBSS.10020101', `Insufficient permission for ${what}.`);
  return iamError(403, 'Forbidden', `You are not authorized to access ${what}.`);
}

/** An error inside a service. */
export function serverError(service: Service, requestId: string): Reply {
  if (service === 'dbss') return dbssError(500, 'DBSS.11000000', 'System error.');
  return gatewayError(requestId, { status: 500, code: 'APIGW.0601', message: 'Internal server error' });
}
