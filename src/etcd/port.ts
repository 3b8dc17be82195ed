// The client port: one plain listener for gRPC and HTTP/1.1. It looks at the first bytes of a connection, puts
// them back and hands the connection on; what speaks neither, or nothing in time, is closed and counted.
import { createServer, type Server, type Socket } from "node:net";
import { protocolOf } from "./first-bytes.js";
import type { Limits } from "./limits.js";
import { type ListenAddress, listenErrorOf } from "./listen-url.js";

export interface PortCounts {
  open: number;
  accepted: number;
  /** Closed because of their first bytes. */
  garbage: number;
  /** Closed because their first bytes did not come in time. */
  silent: number;
  /** Closed at once: too many connections. */
  turnedAway: number;
}

export interface PortHandlers {
  /** The first bytes are still to be read from the socket. */
  onHttp2(socket: Socket): void;
  onHttp1(socket: Socket): void;
}

export class ClientPort {
  readonly #handlers: PortHandlers;
  readonly #limits: Pick<Limits, "maxConnections" | "headerTimeoutMs">;
  readonly #listeners: Server[];
  readonly #sockets: Set<Socket>;
  /** Those that have not said what they speak. */
  readonly #undecided: Set<Socket>;
  readonly counts: PortCounts;

  constructor(handlers: PortHandlers, limits: Pick<Limits, "maxConnections" | "headerTimeoutMs">) {
    this.#handlers = handlers;
    this.#limits = limits;
    this.#listeners = [];
    this.#sockets = new Set();
    this.#undecided = new Set();
    this.counts = { open: 0, accepted: 0, garbage: 0, silent: 0, turnedAway: 0 };
  }

  /** Resolves with the address in use, for port 0 the port that was given. Rejects with `ListenError`. */
  listen(address: ListenAddress): Promise<ListenAddress> {
    const server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    return new Promise((resolve, reject) => {
      server.once("error", (error) => reject(listenErrorOf(address, error)));
      server.listen(address.port, address.host, () => {
        this.#listeners.push(server);
        const bound = server.address();
        resolve(bound === null || typeof bound === "string" ? address : { ...address, port: bound.port });
      });
    });
  }

  #accept(socket: Socket): void {
    const { counts } = this;
    if (this.#sockets.size >= this.#limits.maxConnections) {
      counts.turnedAway += 1;
      socket.destroy();
      return;
    }
    counts.accepted += 1;
    counts.open += 1;
    this.#sockets.add(socket);
    socket.on("close", () => {
      counts.open -= 1;
      this.#sockets.delete(socket);
      this.#undecided.delete(socket);
    });
    // A connection that breaks is closed by the system; nobody waits for its error.
    socket.on("error", () => socket.destroy());
    this.#decide(socket);
  }

  #decide(socket: Socket): void {
    this.#undecided.add(socket);
    const timer = setTimeout(() => {
      this.counts.silent += 1;
      socket.destroy();
    }, this.#limits.headerTimeoutMs);
    let bytes: Buffer = Buffer.alloc(0);
    const look = (chunk: Buffer): void => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      const protocol = protocolOf(bytes);
      if (protocol === "undecided") return;
      clearTimeout(timer);
      this.#undecided.delete(socket);
      socket.removeListener("data", look);
      if (protocol === "unknown") {
        this.counts.garbage += 1;
        socket.destroy();
        return;
      }
      socket.pause();
      socket.unshift(bytes);
      if (protocol === "http2") this.#handlers.onHttp2(socket);
      else this.#handlers.onHttp1(socket);
    };
    socket.on("data", look);
    socket.once("close", () => clearTimeout(timer));
  }

  /** Takes no more connections, and closes those that have not said what they speak. */
  stopAccepting(): void {
    for (const listener of this.#listeners) listener.close();
    for (const socket of this.#undecided) socket.destroy();
  }

  /** Resolves when every connection is closed; those still open after `ms` are cut. */
  async closed(ms: number): Promise<void> {
    const open = [...this.#sockets].map(
      (socket) => new Promise<void>((resolve) => socket.once("close", () => resolve())),
    );
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, ms);
    await Promise.all(open);
    clearTimeout(timer);
  }
}
