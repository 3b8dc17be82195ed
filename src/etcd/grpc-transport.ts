// gRPC over connections that the port hands in: the only file that knows @grpc/grpc-js. Messages pass as bytes;
// an interceptor counts what calls hold, from their header to their last byte (`admission.ts`).
import type { Socket } from "node:net";
import {
  type ConnectionInjector,
  type handleUnaryCall,
  Server,
  ServerCredentials,
  ServerInterceptingCall,
  type ServerInterceptor,
  type ServerUnaryCall,
  type ServerWritableStream,
  type StatusObject,
} from "@grpc/grpc-js";
import { type Admission, type Source, SWEEP_MS, type Ticket } from "./admission.js";
import type { Dispatch, Incoming } from "./dispatch.js";
import { CallFailed, Code, tooManyRequests } from "./errors.js";
import { type Limits, MESSAGE_OVERHEAD_BYTES } from "./limits.js";
import type { Method } from "./service.js";
import { YoungGarbage } from "./young-garbage.js";

/** Etcd's defaults for the pings that find dead clients. */
const KEEPALIVE_MS = 2 * 60 * 60 * 1000;
const KEEPALIVE_TIMEOUT_MS = 20_000;

export class GrpcTransport {
  readonly #injector: ConnectionInjector;
  readonly #sweeper: NodeJS.Timeout;
  readonly #drainMs: number;
  /** By the name that @grpc/grpc-js gives the other end. */
  readonly #connections: Map<string, Socket>;

  constructor(dispatch: Dispatch, admission: Admission, limits: Limits) {
    this.#connections = new Map();
    const server = new Server({
      "grpc.max_receive_message_length": limits.maxRequestBytes + MESSAGE_OVERHEAD_BYTES,
      "grpc.max_send_message_length": -1,
      "grpc.max_concurrent_streams": limits.maxCalls,
      "grpc.keepalive_time_ms": KEEPALIVE_MS,
      "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
      "grpc.enable_channelz": 0,
      interceptors: [admitting(admission, (peer) => this.#connections.get(peer) ?? CLOSED)],
    });
    const garbage = new YoungGarbage();
    for (const method of dispatch.methods.values()) register(server, dispatch, method, garbage);
    this.#injector = server.createConnectionInjector(ServerCredentials.createInsecure());
    this.#sweeper = setInterval(() => admission.sweep(), SWEEP_MS);
    this.#sweeper.unref();
    this.#drainMs = limits.drainMs;
  }

  /** Takes a connection whose first bytes, still to be read, are HTTP/2's. */
  accept(connection: Socket): void {
    const peer = `${connection.remoteAddress}:${connection.remotePort}`;
    this.#connections.set(peer, connection);
    connection.once("close", () => this.#connections.delete(peer));
    this.#injector.injectConnection(connection);
  }

  /** Takes no more calls on any connection; each closes when its calls have ended, or after the drain time. */
  close(): void {
    this.#injector.drain(this.#drainMs);
    clearInterval(this.#sweeper);
  }
}

/** Nothing more comes from it. */
const CLOSED: Source = { bytesRead: 0 };

function register(server: Server, dispatch: Dispatch, method: Method, garbage: YoungGarbage): void {
  if (method.kind === "unary") {
    const handle: handleUnaryCall<Buffer, Uint8Array> = (call, callback) => {
      dispatch.unary(method, incomingOf(call)).then(
        (response) => callback(null, response),
        (error) => callback(statusOf(error)),
      );
    };
    server.register(method.path, handle, bufferOf, (bytes) => bytes, "unary");
    return;
  }
  const handle = async (call: ServerWritableStream<Buffer, Uint8Array>): Promise<void> => {
    try {
      for await (const response of dispatch.stream(method, incomingOf(call))) {
        await taken(call, response);
        garbage.sent(response.length);
      }
      call.end();
    } catch (error) {
      call.emit("error", statusOf(error));
    }
  };
  server.register(method.path, handle, bufferOf, (bytes) => bytes, "serverStream");
}

function incomingOf(
  call: ServerUnaryCall<Buffer, Uint8Array> | ServerWritableStream<Buffer, Uint8Array>,
): Incoming {
  const { request } = call;
  return {
    // A plain view: a Buffer would show through in keys and values.
    request: new Uint8Array(request.buffer, request.byteOffset, request.length),
    metadata: (key) => call.metadata.get(key)[0]?.toString(),
    onCancel: (cancel) => call.once("cancelled", cancel),
  };
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function statusOf(error: unknown): Pick<StatusObject, "code" | "details"> {
  if (error instanceof CallFailed) return { code: error.code, details: error.message };
  return { code: Code.unknown, details: "etcdserver: internal error" };
}

/**
 * Resolves when `response` has been copied and the connection has taken it, or never will. Sixteen would wait in the
 * stream otherwise: of large ones that is much to hold, and its memory could not be used for the next one.
 */
function taken(call: ServerWritableStream<Buffer, Uint8Array>, response: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    if (call.cancelled) {
      resolve();
      return;
    }
    const done = (): void => {
      call.off("cancelled", done);
      resolve();
    };
    call.once("cancelled", done);
    call.write(response, done);
  });
}

/** Holds a ticket for each call, from its header until everything is sent or the client is gone. */
function admitting(admission: Admission, sourceOf: (peer: string) => Source): ServerInterceptor {
  return (_method, call) => {
    let ticket: Ticket | null = null;
    const refuse = (): void => {
      const { code, message } = tooManyRequests();
      call.sendStatus({ code, details: message });
    };
    return new ServerInterceptingCall(call, {
      start: (next) =>
        next({
          onReceiveMetadata: (metadata, proceed) => {
            ticket = admission.begin(sourceOf(call.getPeer()), refuse);
            if (ticket === null) refuse();
            else proceed(metadata);
          },
          onReceiveMessage: (message: Buffer, proceed) => {
            if (ticket === null) return;
            if (admission.request(ticket, message.length)) proceed(message);
            else refuse();
          },
          onReceiveHalfClose: (proceed) => proceed(),
          onCancel: () => {
            if (ticket !== null) admission.end(ticket);
            ticket = null;
          },
        }),
      sendMessage: (message: Uint8Array, next) => {
        if (ticket !== null) admission.response(ticket, message.length);
        next(message);
      },
    });
  };
}
