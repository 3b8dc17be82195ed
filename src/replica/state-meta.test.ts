// What is kept along with a state comes back, and digests tell states apart.
import assert from "node:assert/strict";
import { test } from "node:test";
import { StateCorrupt } from "../machine/machine.js";
import { Sessions } from "../paxos/sessions.js";
import { decodeMeta, digestOf, encodeMeta } from "./state-meta.js";

function sessionsOf(...numbers: number[]): Sessions {
  const sessions = new Sessions();
  for (const number of numbers) {
    sessions.execute({ origin: 1, incarnation: 1, number, settled: 0, payload: new Uint8Array(0) });
  }
  return sessions;
}

test("it comes back as it was, and other bytes are none", () => {
  for (const noted of [null, { slot: 1024, digest: Number.MAX_SAFE_INTEGER }]) {
    const bytes = encodeMeta({ sessions: sessionsOf(1, 2, 5), noted });
    const meta = decodeMeta(bytes)!;
    assert.deepEqual(meta.noted, noted);
    assert.equal(meta.sessions.digest(), sessionsOf(1, 2, 5).digest());
    assert.equal(decodeMeta(bytes.subarray(0, bytes.length - 1)), null);
    assert.equal(decodeMeta(Uint8Array.of(...bytes, 0)), null);
  }
});

test("a digest is of the sessions and of the machine", () => {
  const seen = new Set<number>();
  for (const sessions of [sessionsOf(), sessionsOf(1), sessionsOf(1, 2)]) {
    for (const state of [0, 1, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
      const digest = digestOf(sessions, { digest: () => state });
      assert.ok(Number.isSafeInteger(digest) && digest >= 0);
      assert.equal(digestOf(sessions, { digest: () => state }), digest);
      seen.add(digest);
    }
    assert.equal(digestOf(sessions, {}), digestOf(sessions, { digest: () => 0 }));
  }
  assert.equal(seen.size, 12);
});

test("a machine that throws has no digest; one that is damaged stops its replica", () => {
  const throws = (error: Error) => ({
    digest(): number {
      throw error;
    },
  });
  assert.equal(digestOf(sessionsOf(1), throws(new TypeError("no"))), digestOf(sessionsOf(1), {}));
  assert.throws(() => digestOf(sessionsOf(1), throws(new StateCorrupt("damaged"))), StateCorrupt);
});
