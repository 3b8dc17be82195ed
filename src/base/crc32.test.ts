// The checksum against known vectors and a plain bit-by-bit one.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { crc32 } from "./crc32.js";

const ascii = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0));

test("known vectors", () => {
  assert.equal(crc32(new Uint8Array(0)), 0);
  assert.equal(crc32(ascii("123456789")), 0xcbf43926);
  assert.equal(crc32(ascii("The quick brown fox jumps over the lazy dog")), 0x414fa339);
  assert.equal(crc32(new Uint8Array(32)), 0x190a55ad);
  assert.equal(crc32(new Uint8Array(32).fill(0xff)), 0xff6cab0b);
});

test("agrees with a bit by bit crc, at any start and length", () => {
  const slow = (bytes: Uint8Array) => {
    let crc = 0xffffffff;
    for (const byte of bytes) {
      crc ^= byte;
      for (let i = 0; i < 8; i += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    }
    return ~crc >>> 0;
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), fc.nat(100), (bytes, a, b) => {
      const from = Math.min(a, bytes.length);
      const to = Math.max(from, Math.min(b, bytes.length));
      assert.equal(crc32(bytes, 0, from, to), slow(bytes.subarray(from, to)));
      assert.equal(crc32(bytes, crc32(bytes, 0, 0, from), from), slow(bytes));
    }),
  );
});
