// What is encoded by hand is what the generated codec makes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { SnapshotResponse } from "../proto/gen/rpc.js";
import { SnapshotResponses } from "./snapshot-responses.js";
import { API_CLUSTER_VERSION } from "./version.js";

test("each message has the bytes that the generated codec makes, in the memory of the one before", () => {
  const lengths = [1, 127, 128, 300, 16_383, 16_384, 262_144, 262_144, 5, 32];
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const responses = new SnapshotResponses(total);
  const memory = new Set<ArrayBufferLike>();
  let remainingBytes = total;
  for (const [i, length] of lengths.entries()) {
    const blob = new Uint8Array(length).fill(i + 1);
    remainingBytes -= length;
    const expected = SnapshotResponse.encode({
      header: undefined,
      remainingBytes,
      blob,
      version: API_CLUSTER_VERSION,
    }).finish();
    const response = responses.next(blob);
    assert.ok(Buffer.compare(response, expected) === 0, `a piece of ${length} bytes`);
    if (i >= 6) memory.add(response.buffer);
  }
  assert.equal(remainingBytes, 0);
  assert.equal(memory.size, 1);
});
