import type { Service } from './operations.ts';

/** What goes back over the wire. */
export interface Reply {
  readonly status: number;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A reply that can be looked into. */
export interface TextReply extends Reply {
  readonly body: string;
}

/** The reply with its body as text, however it was made. */
export function textReply(reply: Reply): TextReply {
  return { ...reply, body: reply.body.toString() };
}

/** A refusal on its way from a check to the response. */
export class Refusal extends Error {
  readonly reply: Reply;

  constructor(reply: Reply) {
    super(textReply(reply).body);
    this.name = 'Refusal';
    this.reply = reply;
  }
}

/** A successful answer with a JSON body that is already written. */
export function ok(body: string | Buffer): Reply {
  return { status: 200, body };
}

/** An error of the gateway, which sits before all services. */
export function gatewayError(status: number, code: string, message: string, requestId: string): Reply {
  return { status, body: JSON.stringify({ error_code: code, error_msg: message, request_id: requestId }) };
}

/** A parameter that HSS does not accept. */
export function hssParameterError(description: string): Reply {
  return hssError('HSS.0001', 'Invalid parameter.', description);
}

function hssError(code: string, message: string, description: string): Reply {
  return {
    status: 400,
    body: JSON.stringify({ error_code: code, error_msg: message, error_description: description }),
  };
}

/** A parameter that DBSS does not accept. */
export function dbssParameterError(message: string): Reply {
  return dbssError(400, 'DBSS.10000001', `Invalid parameter: ${message}`);
}

/** An error in the shape that the document of the report list gives for 400, 401, 403 and 500. */
function dbssError(status: number, code: string, message: string): Reply {
  const body = { error_code: code, error_msg: message, details: [], encoded_authorization_message: '' };
  return { status, body: JSON.stringify(body) };
}

/** An error of IAM. */
export function iamError(status: number, title: string, message: string): Reply {
  return { status, body: JSON.stringify({ error: { code: status, message, title } }) };
}

/**
 * What a caller without permission sees, which is also what an unknown project gives: a service does not tell apart
 * what does not exist and what is not yours. HSS says so with a 400. DBSS documents a 403 but no code for it; the one
 * here continues the published block of authentication codes (DBSS.10020100).
 */
export function permissionError(service: Service, what: string): Reply {
  if (service === 'hss') return hssError('HSS.0013', 'Insufficient permission.', `No permission for ${what}.`);
  if (service === 'dbss') return dbssError(403, 'DBSS.10020101', `Insufficient permission for ${what}.`);
  return iamError(403, 'Forbidden', `You are not authorized to access ${what}.`);
}

/** An error inside a service. */
export function serverError(service: Service, requestId: string): Reply {
  if (service === 'dbss') return dbssError(500, 'DBSS.11000000', 'System error.');
  return gatewayError(500, 'APIGW.0601', 'Internal server error', requestId);
}
