// The table of sessions: whatever the order and the repetition, a command takes effect at most once.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SESSION_WINDOW, Sessions } from "./sessions.js";
import type { Command } from "./value.js";

const command = (origin: number, incarnation: number, number: number, settled: number): Command => ({
  origin,
  incarnation,
  number,
  settled,
  payload: new Uint8Array(0),
});

test("F13a: a lower number that comes after a higher one is executed, once", () => {
  const sessions = new Sessions();
  assert.equal(sessions.execute(command(1, 1, 2, 0)), true);
  assert.equal(sessions.execute(command(1, 1, 1, 0)), true);
  assert.equal(sessions.execute(command(1, 1, 1, 0)), false);
  assert.equal(sessions.execute(command(1, 1, 2, 1)), false);
});

test("F13b: a new life counts from 1 again, and the old life has no effect any more", () => {
  const sessions = new Sessions();
  assert.equal(sessions.execute(command(1, 1, 1, 0)), true);
  assert.equal(sessions.execute(command(1, 2, 1, 0)), true);
  assert.equal(sessions.execute(command(1, 1, 2, 0)), false);
});

test("F13c: a number at or below settled, or above the window, has no effect", () => {
  const sessions = new Sessions();
  assert.equal(sessions.execute(command(1, 1, 10, 7)), true);
  assert.equal(sessions.execute(command(1, 1, 7, 0)), false);
  assert.equal(sessions.execute(command(1, 1, 8, 0)), true);
  assert.equal(sessions.execute(command(1, 1, 7 + SESSION_WINDOW + 1, 7)), false);
  assert.equal(sessions.execute(command(1, 1, 7 + SESSION_WINDOW, 7)), true);
});

test("origins do not know of each other", () => {
  const sessions = new Sessions();
  assert.equal(sessions.execute(command(1, 1, 1, 0)), true);
  assert.equal(sessions.execute(command(2, 1, 1, 0)), true);
});

test("a table survives encoding, and copies are apart", () => {
  const anyCommand = fc
    .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 40 }))
    .chain(([origin, incarnation, number]) =>
      fc.integer({ min: 0, max: number - 1 }).map((settled) => command(origin, incarnation, number, settled)),
    );
  fc.assert(
    fc.property(fc.array(anyCommand), fc.array(anyCommand), (before, after) => {
      const sessions = new Sessions();
      for (const next of before) sessions.execute(next);
      const copy = sessions.copy();
      const decoded = Sessions.decode(sessions.encode());
      assert.notEqual(decoded, null);
      assert.equal(decoded!.digest(), sessions.digest());
      assert.equal(decoded!.describe(), sessions.describe());
      for (const next of after) assert.equal(decoded!.execute(next), sessions.execute(next));
      assert.equal(copy.digest(), Sessions.decode(copy.encode())!.digest());
    }),
  );
});

test("broken bytes are no table", () => {
  const sessions = new Sessions();
  sessions.execute(command(1, 1, 3, 1));
  const bytes = sessions.encode();
  assert.equal(Sessions.decode(bytes.subarray(0, bytes.length - 1)), null);
  assert.equal(Sessions.decode(Uint8Array.of(...bytes, 0)), null);
});
