// Writers that share their buffers: what one has written stays, whatever the next one writes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ByteReader, ByteWriter } from "./bytes.js";

test("what was taken from a writer stays as it was when others write", () => {
  const taken = [3, 300, 20_000].map((length) => {
    const writer = ByteWriter.forShort();
    for (let i = 0; i < length; i += 1) writer.u8(length);
    return writer.take();
  });
  assert.deepEqual(
    taken.map((bytes) => [bytes.length, bytes[0], bytes.at(-1)]),
    [
      [3, 3, 3],
      [300, 300 & 0xff, 300 & 0xff],
      [20_000, 20_000 & 0xff, 20_000 & 0xff],
    ],
  );
});

test("writers that are used at the same time do not write over each other, and begin empty", () => {
  ByteWriter.forShort().take();
  const outer = ByteWriter.forShort();
  assert.equal(outer.length, 0);
  outer.varint(7);
  const inner = ByteWriter.forShort();
  inner.varint(1_000_000);
  outer.bytes(inner.take());
  const again = ByteWriter.forShort();
  again.u53(5);
  const reader = new ByteReader(outer.take());
  assert.equal(reader.varint(), 7);
  assert.equal(new ByteReader(reader.bytes()).varint(), 1_000_000);
  assert.ok(reader.atEnd && !reader.failed);
  assert.equal(new ByteReader(again.take()).u53(), 5);
});
