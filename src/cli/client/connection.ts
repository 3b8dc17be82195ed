// The program's own gRPC client: tries the endpoints in turn and keeps etcd's rule for trying again: a read on
// any Unavailable, a write only as long as it was not sent.

import { Client, connectivityState, credentials, type ServiceError, status } from "@grpc/grpc-js";
import { CommandFailed, UsageError } from "../failures.js";

export interface ConnectionOptions {
  /** As given: "host:port" or "http://host:port". */
  readonly endpoints: readonly string[];
  readonly commandTimeoutMs: number;
  /** How long the endpoints are dialled, in turns, before the command fails. */
  readonly dialTimeoutMs: number;
}

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(input: Uint8Array): T;
}

/** One method of the services in `proto/gen`. */
export interface Method<Request, Response> {
  readonly name: string;
  readonly requestType: Codec<Request>;
  readonly responseType: Codec<Response>;
}

export interface Service {
  readonly fullName: string;
}

const UNLIMITED = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };
const PAUSE_MS = 50;

/** What gRPC dials: etcd's URLs without their scheme. */
function targetOf(endpoint: string): string {
  const [, scheme, rest] = /^(?:([a-z]+):\/\/)?([^/]+)\/?$/.exec(endpoint) ?? [];
  if (scheme === "https") {
    throw new UsageError(`endpoint ${endpoint}: TLS is not built yet; give an http:// endpoint`);
  }
  if (rest === undefined || (scheme !== undefined && scheme !== "http") || !/:\d+$/.test(rest)) {
    throw new UsageError(`endpoint ${endpoint || '""'} is no address; give host:port or http://host:port`);
  }
  return rest;
}

/** The text that etcd's own client shows for a failed call. */
function textOf(error: ServiceError): string {
  if (error.details.startsWith("etcdserver: ")) return error.details;
  if (error.code === status.DEADLINE_EXCEEDED) return "context deadline exceeded";
  const name = status[error.code]
    .toLowerCase()
    .replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return `rpc error: code = ${name} desc = ${error.details}`;
}

export class Connection {
  readonly #endpoints: readonly string[];
  readonly #clients: Map<string, Client>;
  readonly #commandTimeoutMs: number;
  readonly #dialTimeoutMs: number;
  /** The endpoint that is asked first. */
  #at: number;

  constructor(options: ConnectionOptions) {
    if (options.endpoints.length === 0) throw new UsageError("--endpoints names no endpoint");
    this.#endpoints = options.endpoints;
    this.#clients = new Map(
      options.endpoints.map((endpoint) => [
        endpoint,
        new Client(targetOf(endpoint), credentials.createInsecure(), UNLIMITED),
      ]),
    );
    this.#commandTimeoutMs = options.commandTimeoutMs;
    this.#dialTimeoutMs = options.dialTimeoutMs;
    this.#at = 0;
  }

  /** Fails with CommandFailed, its text as etcd's client has it. */
  read<Request, Response>(
    service: Service,
    method: Method<Request, Response>,
    request: Request,
  ): Promise<Response> {
    return this.#call(service, method, request, true);
  }

  /** As `read`, but sent at most once. */
  write<Request, Response>(
    service: Service,
    method: Method<Request, Response>,
    request: Request,
  ): Promise<Response> {
    return this.#call(service, method, request, false);
  }

  /**
   * Gives each message of a stream to `take`, in order; what breaks off is not tried again. `isLimited`: the whole of
   * it must be there within the time for a command.
   */
  async stream<Request, Response>(
    service: Service,
    method: Method<Request, Response>,
    request: Request,
    isLimited: boolean,
    take: (message: Response) => Promise<void>,
  ): Promise<void> {
    const deadline = Date.now() + this.#commandTimeoutMs;
    const client = await this.#dial(deadline);
    const messages = client.makeServerStreamRequest<Request, Response>(
      pathOf(service, method),
      (message) => Buffer.from(method.requestType.encode(message).finish()),
      (bytes) => method.responseType.decode(bytes),
      request,
      isLimited ? { deadline } : {},
    );
    let isTaking = false;
    try {
      for await (const message of messages) {
        isTaking = true;
        await take(message as Response);
        isTaking = false;
      }
    } catch (error) {
      messages.cancel();
      if (isTaking) throw error;
      throw new CommandFailed(textOf(error as ServiceError));
    }
  }

  async #call<Request, Response>(
    service: Service,
    method: Method<Request, Response>,
    request: Request,
    mayRepeat: boolean,
  ): Promise<Response> {
    const deadline = Date.now() + this.#commandTimeoutMs;
    for (;;) {
      const client = await this.#dial(deadline);
      const answer = await call(client, service, method, request, deadline);
      if (!("error" in answer)) return answer.response;
      const again = mayRepeat && answer.error.code === status.UNAVAILABLE && Date.now() < deadline;
      if (!again) throw new CommandFailed(textOf(answer.error));
      this.#at = (this.#at + 1) % this.#endpoints.length;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }

  /** The first endpoint, from the last good one on, that takes the connection. */
  async #dial(commandDeadline: number): Promise<Client> {
    const deadline = Math.min(commandDeadline, Date.now() + this.#dialTimeoutMs);
    for (let tried = 0; ; tried += 1) {
      const client = this.#clients.get(this.#endpoints[this.#at]!)!;
      if (await connects(client, deadline)) return client;
      this.#at = (this.#at + 1) % this.#endpoints.length;
      if (Date.now() >= deadline) break;
      if (tried >= this.#endpoints.length) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    if (Date.now() >= commandDeadline) throw new CommandFailed("context deadline exceeded");
    throw new CommandFailed(
      `cannot connect to ${this.#endpoints.join(", ")}; start a server there (synod serve) or give --endpoints`,
    );
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
  }
}

/** Waits until the channel is ready, or until its present attempt failed. */
async function connects(client: Client, deadline: number): Promise<boolean> {
  const channel = client.getChannel();
  for (;;) {
    const state = channel.getConnectivityState(true);
    if (state === connectivityState.READY) return true;
    if (state === connectivityState.TRANSIENT_FAILURE || state === connectivityState.SHUTDOWN) return false;
    const isChanged = await new Promise<boolean>((resolve) => {
      channel.watchConnectivityState(state, deadline, (error) => resolve(error === undefined));
    });
    if (!isChanged) return false;
  }
}

function pathOf(service: Service, method: { readonly name: string }): string {
  return `/${service.fullName}/${method.name}`;
}

type Answer<Response> = { readonly response: Response } | { readonly error: ServiceError };

function call<Request, Response>(
  client: Client,
  service: Service,
  method: Method<Request, Response>,
  request: Request,
  deadline: number,
): Promise<Answer<Response>> {
  return new Promise((resolve) => {
    client.makeUnaryRequest<Request, Response>(
      pathOf(service, method),
      (message) => Buffer.from(method.requestType.encode(message).finish()),
      (bytes) => method.responseType.decode(bytes),
      request,
      { deadline },
      (error, response) => resolve(error === null ? { response: response! } : { error }),
    );
  });
}
