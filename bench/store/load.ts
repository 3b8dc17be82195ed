// Load for a cluster with a big store: all keys once, in transactions; then single puts to keys at random, as many as
// go through or at a pace of their own.
import type { Client } from "@grpc/grpc-js";
import { Random } from "../../src/base/random.js";
import { TxnRequest, TxnResponse } from "../../src/proto/gen/rpc.js";
import { sleep } from "../../test/real/processes.js";
import { put, unary } from "../../test/real/unary.js";

const PUTS_IN_TXN = 100;
const TXNS_IN_FLIGHT = 8;
const ATTEMPTS = 50;
const AGAIN_MS = 200;
const encoder = new TextEncoder();

export function keyOf(number: number): string {
  return `key-${String(number).padStart(12, "0")}`;
}

/** Puts keys 0 to `keys`, without that one; the values differ, for a store may compress. */
export async function fill(clients: readonly Client[], keys: number, valueBytes: number): Promise<void> {
  let next = 0;
  const worker = async (w: number): Promise<void> => {
    const client = clients[w % clients.length]!;
    const value = randomValues(new Random(w + 1), valueBytes);
    while (next < keys) {
      const first = next;
      next = Math.min(keys, next + PUTS_IN_TXN);
      const success = Array.from({ length: next - first }, (_, i) => ({
        requestPut: { key: encoder.encode(keyOf(first + i)), value: value() },
      }));
      await untilDone(() =>
        unary(client, "/etcdserverpb.KV/Txn", TxnRequest, TxnResponse, TxnRequest.fromPartial({ success })),
      );
    }
  };
  await Promise.all(Array.from({ length: TXNS_IN_FLIGHT }, (_, w) => worker(w)));
}

/** What a server refuses while it has too much to do is asked again: to put the same twice does no harm. */
export async function untilDone(call: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await call();
      return;
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      await sleep(AGAIN_MS);
    }
  }
}

/** Values of so many bytes that nothing can compress, cut from one stretch at random. */
function randomValues(random: Random, bytes: number): () => Uint8Array {
  const stretch = Uint8Array.from({ length: 65_536 + bytes }, () => random.below(256));
  return () => {
    const start = random.below(65_536);
    return stretch.subarray(start, start + bytes);
  };
}

export interface PutFigures {
  readonly puts: number;
  readonly failed: number;
  readonly perSecond: number;
  /** Milliseconds until it was answered, of 999 in 1,000. */
  readonly p999: number;
}

export interface PutsOptions {
  readonly keys: number;
  readonly valueBytes: number;
  /** So many at a time, and the next one when one is answered. */
  readonly inFlight?: number;
  /** Or so many a second, however long they take. */
  readonly rate?: number;
}

const TICK_MS = 10;
/** Of those that come at a pace of their own: a server that is slower would hold all of them. */
const MOST_IN_FLIGHT = 2_000;

/** Puts until `end` is resolved, over all clients in turn. */
export async function putUntil(
  end: Promise<unknown>,
  clients: readonly Client[],
  options: PutsOptions,
): Promise<PutFigures> {
  const { keys, valueBytes, inFlight = 0, rate = 0 } = options;
  const random = new Random(keys);
  const value = randomValues(random, valueBytes);
  const times: number[] = [];
  let failed = 0;
  let number = 0;
  let isOver = false;
  const setOver = (): void => {
    isOver = true;
  };
  end.then(setOver, setOver);
  let underWay = 0;
  const one = async (): Promise<void> => {
    number += 1;
    underWay += 1;
    const key = keyOf(random.below(keys));
    const startedAt = performance.now();
    try {
      await put(clients[number % clients.length]!, key, value());
      times.push(performance.now() - startedAt);
    } catch {
      failed += 1;
      await sleep(AGAIN_MS);
    }
    underWay -= 1;
  };
  const worker = async (): Promise<void> => {
    while (!isOver) await one();
  };
  const startedAt = performance.now();
  const workers = Array.from({ length: inFlight }, worker);
  for (let sent = 0; rate > 0 && !isOver; ) {
    const due = ((performance.now() - startedAt) * rate) / 1000;
    for (; sent < due && underWay < MOST_IN_FLIGHT; sent += 1) void one();
    sent = Math.max(sent, Math.floor(due));
    await sleep(TICK_MS);
  }
  await end;
  await Promise.all(workers);
  while (underWay > 0) await sleep(TICK_MS);
  const seconds = (performance.now() - startedAt) / 1000;
  times.sort((a, b) => a - b);
  const p999 = times[Math.floor(times.length * 0.999)] ?? Number.NaN;
  return { puts: times.length, failed, perSecond: times.length / seconds, p999 };
}
