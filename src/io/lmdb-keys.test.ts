// Keys of records: what was written is read back, and their order is that of revisions.
import assert from "node:assert/strict";
import test from "node:test";
import { mainOf, recordKey, subOf } from "./lmdb-keys.js";

test("a key says its revision, up to the largest, and keys are in the order of revisions", () => {
  const mains = [
    0,
    1,
    0x7f,
    0x80,
    0xffff,
    2 ** 24 - 1,
    2 ** 24,
    2 ** 31,
    2 ** 32 - 1,
    2 ** 40 + 3,
    2 ** 48 - 1,
  ];
  const subs = [0, 1, 0xff, 0x100, 2 ** 16 + 5, 2 ** 24 + 9, 2 ** 31, 2 ** 32 - 1];
  let before: Uint8Array = new Uint8Array(0);
  for (const main of [...mains, 2 ** 48 + 2 ** 24 + 1, Number.MAX_SAFE_INTEGER]) {
    for (const sub of subs) {
      const key = recordKey(7, main, sub);
      assert.deepEqual([mainOf(key), subOf(key)], [main, sub]);
      assert.equal(Buffer.compare(before, key), -1);
      before = key;
    }
  }
});
