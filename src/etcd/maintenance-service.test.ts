// Maintenance.Snapshot: the pieces of a backup, as etcd's clients take them, whatever the size of the snapshot.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect, constants } from "node:http2";
import { test } from "node:test";
import { decodeTrailer } from "../kv/backup-format.js";
import { SnapshotRequest, SnapshotResponse } from "../proto/gen/rpc.js";
import { Unavailable } from "../replica/errors.js";
import { Admission } from "./admission.js";
import { CLUSTER_ID, type Running, run, until } from "./client-for-tests.js";
import { DEFAULT_LIMITS } from "./limits.js";

const PATH = "/etcdserverpb.Maintenance/Snapshot";

function snapshot({ client }: Running) {
  return client.makeServerStreamRequest(
    PATH,
    (request: SnapshotRequest) => Buffer.from(SnapshotRequest.encode(request).finish()),
    (bytes) => SnapshotResponse.decode(bytes),
    {},
  );
}

for (const bytes of [536, 1024, 3_000_001]) {
  test(`a snapshot of ${bytes} bytes`, async (t) => {
    const running = await run(t);
    const content = Buffer.alloc(bytes, "content");
    running.replica.pieces = [content.subarray(0, 500), content.subarray(500)];
    const responses: SnapshotResponse[] = [];
    for await (const response of snapshot(running)) responses.push(response as SnapshotResponse);
    const all = Buffer.concat(responses.map(({ blob }) => blob));
    assert.ok(all.subarray(0, bytes).equals(content));
    // Where etcdctl looks whether there is a checksum.
    assert.equal(all.length % 512, 32);
    assert.ok(all.subarray(-32).equals(createHash("sha256").update(all.subarray(0, -32)).digest()));
    const { clusterId, snapshotBytes } = decodeTrailer(all.subarray(-544, -32))!;
    assert.deepEqual({ clusterId, snapshotBytes }, { clusterId: CLUSTER_ID, snapshotBytes: bytes });
    assert.equal(responses.at(-1)!.remainingBytes, 0);
    assert.equal(responses[0]!.remainingBytes, all.length - responses[0]!.blob.length);
    assert.equal(responses[0]!.header, undefined);
  });
}

test("without a snapshot the call fails as unavailable", async (t) => {
  const running = await run(t);
  running.replica.failure = new Unavailable("none can be made now");
  await assert.rejects(
    async () => {
      for await (const _ of snapshot(running));
    },
    { code: 14, details: "etcdserver: no snapshot: none can be made now" },
  );
});

test("a client that goes away ends it", async (t) => {
  const running = await run(t);
  let given = 0;
  let isEnded = false;
  running.replica.pieces = {
    length: 0,
    reduce: () => 2 ** 40,
    *[Symbol.iterator]() {
      try {
        for (; ; given += 1) yield Buffer.alloc(65_536);
      } finally {
        isEnded = true;
      }
    },
  } as unknown as Uint8Array[];
  const stream = snapshot(running);
  stream.on("error", () => {});
  await new Promise((resolve) => stream.once("data", resolve));
  stream.cancel();
  await until(() => isEnded);
  assert.ok(given < 5_000, `${given} pieces`);
});

test("of a stream only what waits to be sent counts as held", () => {
  const admission = new Admission(DEFAULT_LIMITS);
  const ticket = admission.begin({ bytesRead: 0 }, () => {})!;
  admission.request(ticket, 10);
  for (let i = 0; i < 3; i += 1) admission.response(ticket, 1000);
  assert.equal(admission.bytes, 1010);
  admission.end(ticket);
  assert.equal(admission.bytes, 0);
});

/** Pieces of 100,000 bytes, each of its number; counts those after which another one was asked for. */
class Pieces {
  given = 0;
  isEnded = false;
  readonly length: number;

  constructor(length: number) {
    this.length = length;
  }

  reduce(): number {
    return this.length * 100_000;
  }

  *[Symbol.iterator]() {
    try {
      for (; this.given < this.length; this.given += 1) yield new Uint8Array(100_000).fill(this.given);
    } finally {
      this.isEnded = true;
    }
  }
}

/** A call of a client that reads nothing by itself. */
async function unread({ address }: Running) {
  const session = connect(`http://${address}`);
  const headers = { ":method": "POST", ":path": PATH, "content-type": "application/grpc", te: "trailers" };
  const stream = session.request(headers);
  // An empty request.
  stream.end(Buffer.alloc(5));
  await once(stream, "response");
  return { session, stream };
}

test("a client that reads nothing is given nearly nothing, and all as it is when it reads on", async (t) => {
  const running = await run(t);
  const pieces = new Pieces(50);
  running.replica.pieces = pieces as unknown as Uint8Array[];
  const { session, stream } = await unread(running);
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.ok(pieces.given <= 2, `${pieces.given} pieces`);
  const received: Buffer[] = [];
  for await (const chunk of stream) received.push(chunk as Buffer);
  session.close();
  let all = Buffer.concat(received);
  for (let number = 0; number < 50; number += 1) {
    const length = all.readUInt32BE(1);
    const { blob } = SnapshotResponse.decode(all.subarray(5, 5 + length));
    assert.ok(blob.length === 100_000 && blob.every((byte) => byte === number));
    all = all.subarray(5 + length);
  }
});

test("a client that reads nothing and goes away ends it", async (t) => {
  const running = await run(t);
  const pieces = new Pieces(50);
  running.replica.pieces = pieces as unknown as Uint8Array[];
  const { session, stream } = await unread(running);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(pieces.isEnded, false);
  stream.close(constants.NGHTTP2_CANCEL);
  await until(() => pieces.isEnded);
  assert.ok(pieces.given <= 2, `${pieces.given} pieces`);
  session.close();
});
