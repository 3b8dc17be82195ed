// What the benchmark asks single members: whether they serve what is newest, their state as a backup, their metrics.
import { once } from "node:events";
import { connect as connectSocket } from "node:net";
import type { Client } from "@grpc/grpc-js";
import { SnapshotRequest, SnapshotResponse } from "../../src/proto/gen/rpc.js";
import { sleep } from "../../test/real/processes.js";
import { connect, put, range } from "../../test/real/unary.js";
import { untilDone } from "./load.js";

/** No limit: a piece of a backup, or an answer, is what it is. */
const ANY_LENGTH = { "grpc.max_receive_message_length": -1 };
const POLL_MS = 5;
const MARKER = "marker";

export function clientOf(endpoint: string): Client {
  return connect(endpoint, ANY_LENGTH);
}

/** Changes a key that no load touches; `servesNewest` looks for this change. */
export async function mark(client: Client, text: string): Promise<void> {
  await untilDone(() => put(client, MARKER, new TextEncoder().encode(text)));
}

/** Resolves when the member itself answers a linearizable read with what was last marked. */
export async function servesNewest(endpoint: string, text: string, withinMs: number): Promise<void> {
  const end = performance.now() + withinMs;
  let last: unknown = "nobody listens there";
  while (performance.now() < end) {
    if (await isListening(endpoint)) {
      // A client that was refused waits before it tries again.
      const client = clientOf(endpoint);
      try {
        const { kvs } = await range(client, MARKER);
        if (Buffer.from(kvs[0]?.value ?? []).toString() === text) return;
        last = "it has an older value";
      } catch (error) {
        last = error;
      } finally {
        client.close();
      }
    }
    await sleep(POLL_MS);
  }
  throw new Error(`${endpoint} does not serve what is newest within ${withinMs / 1000} s: ${String(last)}`);
}

async function isListening(endpoint: string): Promise<boolean> {
  const [host, port] = endpoint.split(":");
  const socket = connectSocket({ host: host!, port: Number(port) });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Takes the whole state of a member as `snapshot save` does, and keeps nothing; its bytes. */
export function takeSnapshot(client: Client): Promise<number> {
  const call = client.makeServerStreamRequest(
    "/etcdserverpb.Maintenance/Snapshot",
    (request: SnapshotRequest) => Buffer.from(SnapshotRequest.encode(request).finish()),
    (bytes: Buffer) => SnapshotResponse.decode(bytes),
    SnapshotRequest.fromPartial({}),
  );
  let bytes = 0;
  return new Promise((resolve, reject) => {
    call.on("data", ({ blob }: SnapshotResponse) => {
      bytes += blob.length;
    });
    call.on("end", () => resolve(bytes));
    call.on("error", reject);
  });
}

/** A metric without labels, or the sum over its labels; NaN when it is not there. */
export function metricOf(metrics: string, name: string): number {
  let sum = Number.NaN;
  for (const line of metrics.split("\n")) {
    const found = /^(\w+)(?:\{.*\})? (\S+)$/.exec(line);
    if (found?.[1] === name) sum = (Number.isNaN(sum) ? 0 : sum) + Number(found[2]);
  }
  return sum;
}
