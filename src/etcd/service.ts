// The seam between handlers and transports: a handler takes a decoded message and answers with one; it knows
// nothing of gRPC's frames. A transport has a path and bytes; `invoke` joins the two.
import type { CancelSignal } from "../replica/cancel.js";

/** The part of a generated codec that is used. */
export interface MessageCodec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/** One call, as a handler sees it. */
export interface Call {
  /** Aborted when the client gives up, its deadline or the server's timeout is over, or the server closes. */
  readonly signal: CancelSignal;
  /** Bytes of the request as it came. */
  readonly requestBytes: number;
  /** The first value of a metadata key, in lower case. */
  metadata(key: string): string | undefined;
}

interface NamedMethod {
  /** `/package.Service/Method`. */
  readonly path: string;
}

/** Bytes in, bytes out; throws `BadMessage` for bytes that are no request, and what the handler throws. */
export interface UnaryMethod extends NamedMethod {
  readonly kind: "unary";
  invoke(request: Uint8Array, call: Call): Promise<Uint8Array>;
}

export interface StreamMethod extends NamedMethod {
  readonly kind: "serverStream";
  /** Ends when the handler ends, which it must soon after the signal. Bytes are good until the next are asked for. */
  invoke(request: Uint8Array, call: Call): AsyncIterable<Uint8Array>;
}

export type Method = UnaryMethod | StreamMethod;

export class BadMessage extends Error {
  override readonly name = "BadMessage";
}

function decode<T>(codec: MessageCodec<T>, bytes: Uint8Array): T {
  try {
    return codec.decode(bytes);
  } catch (error) {
    throw new BadMessage(error instanceof Error ? error.message : String(error));
  }
}

export function unary<Request, Response>(
  path: string,
  request: MessageCodec<Request>,
  response: MessageCodec<Response>,
  handle: (message: Request, call: Call) => Promise<Response>,
): UnaryMethod {
  return {
    kind: "unary",
    path,
    async invoke(bytes, call) {
      return response.encode(await handle(decode(request, bytes), call)).finish();
    },
  };
}

export function serverStream<Request, Response>(
  path: string,
  request: MessageCodec<Request>,
  response: MessageCodec<Response>,
  handle: (message: Request, call: Call) => AsyncIterable<Response>,
): StreamMethod {
  return {
    kind: "serverStream",
    path,
    async *invoke(bytes, call) {
      for await (const message of handle(decode(request, bytes), call))
        yield response.encode(message).finish();
    },
  };
}
