// What the client port takes at once. Everything above is refused at the border, so that memory stays bounded
// however many clients there are.

export interface Limits {
  /** Bytes of a request that goes through the log; etcd's default. */
  readonly maxRequestBytes: number;
  /** Calls under way on all connections. */
  readonly maxCalls: number;
  /** Bytes of requests and responses that calls under way hold. */
  readonly maxBytes: number;
  /** Requests that come in slowly, once all that came in while they did could be more than `maxBytes`. */
  readonly maxSlowRequests: number;
  readonly maxConnections: number;
  /** For the first bytes of a connection, and for the header of an HTTP/1.1 request. */
  readonly headerTimeoutMs: number;
  /** For calls under way when the server closes. */
  readonly drainMs: number;
}

export const DEFAULT_LIMITS: Limits = {
  maxRequestBytes: 1.5 * 1024 * 1024,
  maxCalls: 16_384,
  maxBytes: 256 * 1024 * 1024,
  maxSlowRequests: 128,
  maxConnections: 10_000,
  headerTimeoutMs: 10_000,
  drainMs: 5_000,
};

/** What gRPC adds to a request is never more: etcd's allowance for the largest message that is received. */
export const MESSAGE_OVERHEAD_BYTES = 512 * 1024;
