// HTTP/1.1 on the client port, for probes and for Prometheus: /health, /version, /metrics, as etcd answers them.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { KvReplica } from "./kv-replica.js";
import type { Limits } from "./limits.js";
import { API_CLUSTER_VERSION, API_VERSION, packageVersion } from "./version.js";

export interface HttpOptions {
  readonly replica: KvReplica;
  readonly requestTimeoutMs: number;
  readonly limits: Pick<Limits, "headerTimeoutMs">;
  /** Prometheus' text format, and its content type. */
  metrics(): Promise<{ readonly text: string; readonly contentType: string }>;
}

interface Reply {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

const JSON_TYPE = "application/json";
const TEXT_TYPE = "text/plain; charset=utf-8";

export class HttpFace {
  readonly #options: HttpOptions;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;
  readonly #busy: Set<Socket>;
  #isClosing: boolean;

  constructor(options: HttpOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => this.#serve(request, response));
    this.#server.timeout = options.limits.headerTimeoutMs;
    this.#sockets = new Set();
    this.#busy = new Set();
    this.#isClosing = false;
  }

  /** Takes a connection whose first bytes are still to be read. */
  accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    // HTTP/1.1 clients may end their side when the request is out, and still wait for the response.
    socket.allowHalfOpen = true;
    this.#server.emit("connection", socket);
    socket.resume();
  }

  /** Closes idle connections now, the others after the response under way. */
  close(): void {
    this.#isClosing = true;
    for (const socket of this.#sockets) if (!this.#busy.has(socket)) socket.destroy();
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    this.#busy.add(socket);
    response.once("close", () => this.#busy.delete(socket));
    this.#reply(request).then(
      (reply) => send(response, reply, this.#isClosing || request.method !== "GET"),
      (error) => response.destroy(error),
    );
  }

  async #reply(request: IncomingMessage): Promise<Reply> {
    const url = `http://localhost${request.url}`;
    const handler = URL.canParse(url) ? this.#handlerOf(new URL(url)) : null;
    if (handler === null) return { status: 404, contentType: TEXT_TYPE, body: "404 page not found\n" };
    if (request.method !== "GET")
      return { status: 405, contentType: TEXT_TYPE, body: "Method Not Allowed\n" };
    return handler();
  }

  #handlerOf(at: URL): (() => Promise<Reply>) | null {
    switch (at.pathname) {
      case "/health":
        return () => this.#health(at.searchParams.get("serializable") === "true");
      case "/version":
        return async () => version();
      case "/metrics":
        return async () => {
          const { text, contentType } = await this.#options.metrics();
          return { status: 200, contentType, body: text };
        };
      default:
        return null;
    }
  }

  /** Healthy: it has a leader and a quorum answers a read; with `serializable` that it can read itself. */
  async #health(serializable: boolean): Promise<Reply> {
    const { replica, requestTimeoutMs } = this.#options;
    if (!serializable && replica.status().leader === 0) return unhealthy("RAFT NO LEADER");
    try {
      const signal = AbortSignal.timeout(requestTimeoutMs);
      await replica.read({ kind: "status" }, { signal, local: serializable });
    } catch (error) {
      return unhealthy(`QGET ERROR:${error instanceof Error ? error.message : String(error)}`);
    }
    return { status: 200, contentType: JSON_TYPE, body: '{"health":"true"}' };
  }
}

function unhealthy(reason: string): Reply {
  return { status: 503, contentType: JSON_TYPE, body: JSON.stringify({ health: "false", reason }) };
}

function version(): Reply {
  const versions = {
    etcdserver: API_VERSION,
    etcdcluster: API_CLUSTER_VERSION,
    storage: API_CLUSTER_VERSION,
    synod: packageVersion(),
  };
  return { status: 200, contentType: JSON_TYPE, body: JSON.stringify(versions) };
}

/** `last`: the connection ends with this response; so does one whose request may have a body that nobody reads. */
function send(response: ServerResponse, { status, contentType, body }: Reply, last: boolean): void {
  response.writeHead(status, {
    "content-type": contentType,
    "content-length": Buffer.byteLength(body),
    ...(last ? { connection: "close" } : {}),
  });
  response.end(body);
}
