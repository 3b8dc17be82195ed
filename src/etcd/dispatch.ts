// What every call goes through, whatever transport brought it: a time limit, `hasleader`, errors turned into codes
// and texts, and counts for the metrics.

import type { CancelSignal } from "../replica/cancel.js";
import { CallSignal } from "./call-signal.js";
import { type CallFailed, Code, CallFailed as Failed, failureOf, noLeader, stopped } from "./errors.js";
import { BadMessage, type Call, type Method } from "./service.js";

/** How the calls of a method ended, by code. */
export interface MethodCounts {
  readonly path: string;
  readonly isStream: boolean;
  started: number;
  readonly ended: Map<Code, number>;
  receivedBytes: number;
  sentBytes: number;
}

export interface DispatchOptions {
  readonly requestTimeoutMs: number;
  hasLeader(): boolean;
  /** An error that no replica gives its callers: our bug. The call ends with `Unknown`. */
  onBug(error: unknown, path: string): void;
}

/** What a transport knows of a call. */
export interface Incoming {
  readonly request: Uint8Array;
  metadata(key: string): string | undefined;
  /** Calls `cancel` when the client gives up, or at the end of the call. */
  onCancel(cancel: () => void): void;
}

export class Dispatch {
  readonly methods: ReadonlyMap<string, Method>;
  readonly counts: ReadonlyMap<string, MethodCounts>;
  readonly #options: DispatchOptions;
  readonly #streams: Set<CallSignal>;
  #isClosing: boolean;

  constructor(methods: readonly Method[], options: DispatchOptions) {
    this.methods = new Map(methods.map((method) => [method.path, method]));
    this.counts = new Map(methods.map((method) => [method.path, emptyCounts(method)]));
    this.#options = options;
    this.#streams = new Set();
    this.#isClosing = false;
  }

  /** Refuses new calls and ends streams; other calls go on. */
  close(): void {
    this.#isClosing = true;
    for (const signal of this.#streams) signal.abort();
  }

  /** Rejects with `CallFailed` only. */
  async unary(method: Method & { kind: "unary" }, incoming: Incoming): Promise<Uint8Array> {
    const counts = this.#begin(method, incoming);
    const signal = new CallSignal();
    let isOver = false;
    let isCanceled = false;
    incoming.onCancel(() => {
      if (isOver) return;
      isCanceled = true;
      signal.abort();
    });
    const timer = setTimeout(() => signal.abort(), this.#options.requestTimeoutMs);
    try {
      this.#admit(incoming);
      const response = await method.invoke(incoming.request, callOf(incoming, signal));
      counts.sentBytes += response.length;
      count(counts, Code.ok);
      return response;
    } catch (error) {
      throw this.#fail(counts, error, isCanceled);
    } finally {
      isOver = true;
      clearTimeout(timer);
    }
  }

  /** Throws `CallFailed` only. */
  async *stream(method: Method & { kind: "serverStream" }, incoming: Incoming): AsyncGenerator<Uint8Array> {
    const counts = this.#begin(method, incoming);
    const signal = new CallSignal();
    let isCanceled = false;
    incoming.onCancel(() => {
      isCanceled = true;
      signal.abort();
    });
    this.#streams.add(signal);
    try {
      this.#admit(incoming);
      for await (const response of method.invoke(incoming.request, callOf(incoming, signal))) {
        counts.sentBytes += response.length;
        yield response;
      }
      if (this.#isClosing) throw stopped();
      count(counts, isCanceled ? Code.canceled : Code.ok);
    } catch (error) {
      throw this.#fail(counts, error, isCanceled);
    } finally {
      this.#streams.delete(signal);
    }
  }

  #begin(method: Method, incoming: Incoming): MethodCounts {
    const counts = this.counts.get(method.path)!;
    counts.started += 1;
    counts.receivedBytes += incoming.request.length;
    return counts;
  }

  #admit(incoming: Incoming): void {
    if (this.#isClosing) throw stopped();
    if (incoming.metadata("hasleader") === "true" && !this.#options.hasLeader()) throw noLeader();
  }

  #fail(counts: MethodCounts, error: unknown, isCanceled: boolean): CallFailed {
    const failure = this.#failureOf(counts.path, error, isCanceled);
    count(counts, failure.code);
    return failure;
  }

  #failureOf(path: string, error: unknown, isCanceled: boolean): CallFailed {
    if (error instanceof BadMessage) {
      return new Failed(Code.internal, `grpc: failed to unmarshal the received message: ${error.message}`);
    }
    const failure = failureOf(error, isCanceled);
    if (failure !== null) return failure;
    this.#options.onBug(error, path);
    return new Failed(Code.unknown, "etcdserver: internal error");
  }
}

function callOf(incoming: Incoming, signal: CancelSignal): Call {
  return { signal, requestBytes: incoming.request.length, metadata: (key) => incoming.metadata(key) };
}

function emptyCounts({ path, kind }: Method): MethodCounts {
  const isStream = kind === "serverStream";
  return { path, isStream, started: 0, ended: new Map(), receivedBytes: 0, sentBytes: 0 };
}

function count(counts: MethodCounts, code: Code): void {
  counts.ended.set(code, (counts.ended.get(code) ?? 0) + 1);
}
