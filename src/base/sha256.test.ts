// SHA-256 against node:crypto.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { sha256 } from "./sha256.js";

test("equals node:crypto for every length up to 300 and a long input", () => {
  for (const length of [...Array(301).keys(), 100_003]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 0xff);
    assert.deepEqual(sha256(bytes), new Uint8Array(createHash("sha256").update(bytes).digest()), `${length}`);
  }
});
