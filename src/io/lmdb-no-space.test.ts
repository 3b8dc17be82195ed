// What lmdb says when it fails, told apart: no room, or a failing disk. Its errors are as a full file system gave them.
import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { isNoSpace } from "../base/no-space.js";
import { inRoom } from "./lmdb-no-space.js";

/** A write of a transaction that fails with `code`. */
function failing(code: number): Promise<never> {
  const commitError = Promise.reject(Object.assign(new Error(`code ${code}`), { code }));
  return Promise.reject(Object.assign(new Error("Commit failed"), { commitError }));
}

const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => null,
    (error: unknown) => error,
  );

test("a full disk, a quota and a full map are no room; a failing disk is not, unless nothing is free", async () => {
  for (const code of [28, 122, -30792]) {
    const error = await caught(inRoom(tmpdir(), 0, () => failing(code)));
    assert.ok(isNoSpace(error) && error.message.includes(tmpdir()), String(error));
    assert.match(String(error.cause), new RegExp(`code ${code}`));
  }
  const failed = await caught(inRoom(tmpdir(), 0, () => failing(5)));
  assert.ok(!isNoSpace(failed) && /code 5/.test(String(failed)));
  // More than there is anywhere: a write that is cut short.
  assert.ok(isNoSpace(await caught(inRoom(tmpdir(), 2 ** 60, () => failing(5)))));
  const other = new Error("another");
  assert.equal(await caught(inRoom(tmpdir(), 0, () => Promise.reject(other))), other);
  assert.equal(await inRoom(tmpdir(), 0, async () => "done"), "done");
});
