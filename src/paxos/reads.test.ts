// Reads that wait for their slot: asked once under each id, repeated without being given up, answered once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Reads } from "./reads.js";

/** Reads 1 and 2, asked for at time 0. */
function asked(): { reads: Reads; id: number } {
  const reads = new Reads(1);
  reads.add(1);
  reads.add(2);
  return { reads, id: reads.begin(1, 2, 0) };
}

test("an attempt is answered once, and answers all of its reads", () => {
  const { reads, id } = asked();
  assert.equal(reads.begin(1, 2, 1), 0);
  assert.deepEqual(reads.finish(id), [1, 2]);
  assert.deepEqual(reads.finish(id), []);
});

test("what is repeated is asked under a fresh id, and whichever answer comes first counts, once", () => {
  for (const isEarlierFirst of [true, false]) {
    const { reads, id } = asked();
    reads.retry(0);
    assert.equal(reads.begin(1, 2, 100), 0, "it was not begun before");
    reads.retry(100);
    const again = reads.begin(1, 2, 100);
    assert.ok(again > id);
    reads.retry(100);
    assert.equal(reads.begin(1, 2, 100), 0, "each attempt is repeated once");
    const [first, second] = isEarlierFirst ? [id, again] : [again, id];
    assert.deepEqual(reads.finish(first), [1, 2]);
    assert.deepEqual(reads.finish(second), []);
    assert.deepEqual([reads.attempts.length, reads.open.size], [0, 0]);
  }
});

test("a read that is abandoned is neither answered nor repeated", () => {
  const { reads, id } = asked();
  reads.abandon(1);
  reads.retry(100);
  assert.deepEqual(reads.fresh, [2]);
  assert.deepEqual(reads.finish(id), [2]);
  assert.deepEqual(reads.fresh, []);
});

test("attempts that nobody answers are bounded", () => {
  const { reads } = asked();
  for (let at = 1; at < 1000; at += 1) {
    reads.retry(at);
    reads.begin(1, 2, at);
  }
  assert.ok(reads.attempts.length <= 256);
});

test("however many are asked for at once, none is forgotten", () => {
  const reads = new Reads(1);
  const ids: number[] = [];
  for (let read = 1; read <= 1000; read += 1) {
    reads.add(read);
    ids.push(reads.begin(1, 2, 0));
  }
  assert.deepEqual(
    ids.flatMap((id) => reads.finish(id)),
    ids.map((_, i) => i + 1),
  );
});

test("two lives never share an id", () => {
  const ids = [1, 2].map((incarnation) => {
    const reads = new Reads(incarnation);
    reads.add(1);
    return reads.begin(1, 2, 0);
  });
  assert.notEqual(ids[0], ids[1]);
});

test("where another leads, or the way is another, everything is asked anew at once", () => {
  const { reads, id } = asked();
  assert.equal(reads.begin(1, 2, 5), 0);
  const again = reads.begin(2, 3, 5);
  assert.ok(again > id);
  assert.ok(reads.begin(2, 4, 5) > again);
  assert.equal(reads.begin(2, 4, 5), 0);
});
