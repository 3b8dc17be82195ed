// UTF-8 against the platform's TextEncoder and TextDecoder.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeUtf8, encodeUtf8 } from "./utf8.js";

test("encodes as TextEncoder does, lone surrogates included", () => {
  const encoder = new TextEncoder();
  for (const text of ["", "a", "ü€😀", "\ud800x", "\udc00\ud800", "x".repeat(10_000)]) {
    assert.deepEqual(encodeUtf8(text), encoder.encode(text));
  }
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      assert.deepEqual(encodeUtf8(text), encoder.encode(text));
    }),
  );
});

test("decodes what TextDecoder decodes and refuses what it refuses", () => {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const expected = (bytes: Uint8Array): string | null => {
    try {
      return strict.decode(bytes);
    } catch {
      return null;
    }
  };
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", maxLength: 20 }),
      fc.uint8Array({ maxLength: 3 }),
      (text, noise) => {
        const bytes = new Uint8Array([...encodeUtf8(text), ...noise]);
        assert.equal(decodeUtf8(bytes), expected(bytes));
      },
    ),
    { numRuns: 500 },
  );
  for (const bytes of [[0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82], [0x80]]) {
    assert.equal(decodeUtf8(Uint8Array.from(bytes)), null);
  }
});
