// Copies of what lmdb gives stay as they are, whatever lmdb does with its buffer afterwards.
import assert from "node:assert/strict";
import test from "node:test";
import { ValueCopies } from "./lmdb-values.js";

test("copies stay as they were, small and large ones, over many blocks", () => {
  const copies = new ValueCopies();
  const shared = Buffer.alloc(40_000);
  const memory = new Uint8Array(shared.buffer, shared.byteOffset, 40_000);
  // As lmdb does with the length of its buffer.
  Object.defineProperty(shared, "length", { value: shared.length, writable: true });
  const lengths = Array.from(
    { length: 600 },
    (_, i) => [0, 1, 300, 8_192, 8_193, 40_000][i % 6]! - (i % 2 && 1),
  );
  const values = lengths.map((length, i) => {
    memory.fill(i % 251);
    Object.assign(shared, { length });
    return copies.decode(shared, length);
  });
  for (const [i, value] of values.entries()) {
    assert.equal(value.length, lengths[i]);
    assert.ok(value.every((byte) => byte === i % 251));
  }
});

test("a small copy shares its block, a large one keeps nothing but itself", () => {
  const copies = new ValueCopies();
  const small = [copies.decode(Buffer.alloc(300)), copies.decode(Buffer.alloc(300))];
  assert.equal(small[0]!.buffer, small[1]!.buffer);
  assert.equal(copies.decode(Buffer.alloc(100_000)).buffer.byteLength, 100_000);
});

test("what is lent is lmdb's own memory, and what is asked for afterwards is a copy again", () => {
  const copies = new ValueCopies();
  const shared = Buffer.alloc(1_000, 1);
  copies.lend(() => {
    assert.equal(copies.decode(shared, 300).buffer, shared.buffer);
    assert.throws(() => copies.lend(() => {}), /what is lent is gone/);
  });
  assert.throws(() => copies.lend(() => assert.fail("of the one who reads")), /of the one who reads/);
  const value = copies.decode(shared, 300);
  shared.fill(2);
  assert.ok(value.length === 300 && value.every((byte) => byte === 1));
});
