// A large stream's copies are collected while it goes on, and only what is young.
import assert from "node:assert/strict";
import { constants, PerformanceObserver } from "node:perf_hooks";
import { test } from "node:test";
import { SnapshotRequest } from "../proto/gen/rpc.js";
import { run, until } from "./client-for-tests.js";
import { YoungGarbage } from "./young-garbage.js";

const MB = 1 << 20;

test("each 8 MB, however they come", () => {
  let collected = 0;
  const garbage = new YoungGarbage(() => {
    collected += 1;
  });
  for (let i = 0; i < 31; i += 1) garbage.sent(MB / 4);
  assert.equal(collected, 0);
  garbage.sent(MB / 4);
  assert.equal(collected, 1);
  garbage.sent(100 * MB);
  garbage.sent(7 * MB);
  assert.equal(collected, 2);
  garbage.sent(MB);
  assert.equal(collected, 3);
  new YoungGarbage(null).sent(100 * MB);
});

test("a backup of 40 MB has the young collected five times, and nobody else is given the function", async (t) => {
  const kinds: number[] = [];
  const observer = new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries() as unknown as { detail: { kind: number; flags: number } }[])
      if ((detail.flags & constants.NODE_PERFORMANCE_GC_FLAGS_FORCED) !== 0) kinds.push(detail.kind);
  });
  observer.observe({ entryTypes: ["gc"] });
  const running = await run(t);
  running.replica.pieces = Array.from({ length: 160 }, () => new Uint8Array(MB / 4));
  const call = running.client.makeServerStreamRequest(
    "/etcdserverpb.Maintenance/Snapshot",
    (request: SnapshotRequest) => Buffer.from(SnapshotRequest.encode(request).finish()),
    (bytes) => bytes.length,
    {},
  );
  let received = 0;
  for await (const length of call) received += length as number;
  assert.ok(received > 40 * MB);
  // They are told of in a turn of their own.
  await until(() => kinds.length >= 5);
  observer.disconnect();
  assert.deepEqual(kinds, Array(5).fill(constants.NODE_PERFORMANCE_GC_MINOR));
  assert.equal("gc" in globalThis, false);
});
