// The index by tables: what is found at which revision, what a compaction drops, and runs that grow and shrink.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { KeyIndex, NO_KEY } from "./key-index.js";

/** Changes of one key, ascending: [main, sub, isTombstone]. */
type Changes = readonly (readonly [number, number, boolean])[];

function indexOf(changes: Changes): KeyIndex {
  const index = new KeyIndex();
  for (const [main, sub, isTombstone] of changes) {
    if (isTombstone) index.delete(index.find("k"), main, sub);
    else index.put("k", main, sub);
  }
  return index;
}

function changesOf(index: KeyIndex): [number, number, boolean][] {
  const found: [number, number, boolean][] = [];
  const id = index.find("k");
  if (id !== NO_KEY)
    index.forEachChange(id, 0, (main, mark) => found.push([main, mark >>> 1, (mark & 1) === 1]) > 0);
  return found;
}

function keptOf(index: KeyIndex, revision: number, from = 0, atMost = 99): number[][] {
  const found: number[][] = [];
  const id = index.find("k");
  if (id !== NO_KEY) index.forEachKept(id, revision, from, (main, sub) => found.push([main, sub]) < atMost);
  return found;
}

function prune(index: KeyIndex, revision: number): [number, number, boolean][] {
  const dropped: [number, number, boolean][] = [];
  index.prune("k", index.find("k"), revision, 99, (main, sub, isTombstone) =>
    dropped.push([main, sub, isTombstone]),
  );
  return dropped;
}

/** Created 2, put 4, deleted 6, created 8, put 8.1, deleted 10. */
const LIFE: Changes = [
  [2, 0, false],
  [4, 3, false],
  [6, 0, true],
  [8, 0, false],
  [8, 1, false],
  [10, 0, true],
];

describe("key index", () => {
  test("a key is found at every revision as it was", () => {
    const index = indexOf(LIFE);
    const id = index.find("k");
    const found: (string | null)[] = [];
    for (let revision = 1; revision <= 11; revision += 1) {
      found.push(index.isLiveAt(id, revision) ? `${index.foundMain}.${index.foundSub}` : null);
    }
    assert.deepEqual(found, [null, "2.0", "2.0", "4.3", "4.3", null, null, "8.1", "8.1", null, null]);
    assert.equal(index.live, 0);
    assert.equal(index.find("other"), NO_KEY);
  });

  test("created and version count from the last time that the key came to be", () => {
    const index = indexOf(LIFE.slice(0, 2));
    const id = index.find("k");
    assert.deepEqual([index.created(id), index.version(id), index.main(id), index.sub(id)], [2, 2, 4, 3]);
    index.delete(id, 6, 0);
    index.put("k", 7, 1);
    assert.deepEqual([index.created(id), index.version(id), index.live], [7, 1, 1]);
  });

  for (const [revision, kept] of [
    [1, 0],
    [2, 0],
    [3, 0],
    [4, 1],
    [5, 1],
    [6, 2],
    [7, 3],
    [8, 4],
    [9, 4],
    [10, 5],
    [11, 6],
  ] as const) {
    test(`a compaction at ${revision} drops the first ${kept} of six changes`, () => {
      const index = indexOf(LIFE);
      const left = LIFE.slice(kept).map(([main, sub]) => [main, sub]);
      assert.deepEqual(keptOf(index, revision), left, "known before it has come to the key");
      assert.deepEqual(
        keptOf(index, revision, 8),
        left.filter(([main]) => main! >= 8),
      );
      assert.deepEqual(keptOf(index, revision, 0, 1), left.slice(0, 1));
      assert.deepEqual(prune(index, revision), LIFE.slice(0, kept));
      assert.deepEqual(keptOf(index, revision), left);
      assert.deepEqual(changesOf(index), LIFE.slice(kept));
      assert.equal(index.size, kept === LIFE.length ? 0 : 1);
      assert.deepEqual(index.size === 0 ? [] : prune(index, revision), [], "once more, it drops nothing");
      const bitByBit = indexOf(LIFE);
      const dropped: Changes[number][] = [];
      let isAll = false;
      while (!isAll) {
        const before = dropped.length;
        isAll = bitByBit.prune("k", bitByBit.find("k"), revision, 2, (...change) => dropped.push(change));
        // A tombstone that is the last comes on top.
        assert.ok(dropped.length - before <= (isAll ? 3 : 2));
        assert.deepEqual(changesOf(bitByBit), LIFE.slice(dropped.length));
      }
      assert.deepEqual(dropped, LIFE.slice(0, kept));
    });
  }

  test("changes are looked at from a revision on", () => {
    const index = indexOf(LIFE);
    const mainsFrom = (from: number, atMost = 99) => {
      const found: number[] = [];
      index.forEachChange(index.find("k"), from, (main) => found.push(main) < atMost);
      return found;
    };
    assert.deepEqual(mainsFrom(0), [2, 4, 6, 8, 8, 10]);
    assert.deepEqual(mainsFrom(4), [4, 6, 8, 8, 10]);
    assert.deepEqual(mainsFrom(7, 2), [8, 8]);
    assert.deepEqual(mainsFrom(10), [10]);
    assert.deepEqual(mainsFrom(11), []);
  });

  test("keys come in order of bytes, from a start to an end", () => {
    const index = new KeyIndex();
    const keys = ["\0", "a", "a\0", "a\xff", "b", "\xff", "\xff\xff"];
    for (const [i, key] of [...keys].reverse().entries()) index.put(key, 2 + i, 0);
    const visited = (start: string, end: string | null, atMost = 99): string[] => {
      const found: string[] = [];
      index.visit(start, end, (key) => found.push(key) < atMost);
      return found;
    };
    assert.deepEqual(visited("", null), keys);
    assert.deepEqual(visited("a", "b"), ["a", "a\0", "a\xff"]);
    assert.deepEqual(visited("a\0", null, 2), ["a\0", "a\xff"]);
    assert.deepEqual(visited("b", "a"), []);
  });

  test("whatever is put, deleted and compacted, it holds what a list of changes holds", () => {
    const step = fc.record({
      key: fc.constantFrom("a", "b", "c"),
      kind: fc.constantFrom("put", "put", "put", "delete", "prune"),
      back: fc.nat(8),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400, size: "max" }), (steps) => {
        const index = new KeyIndex();
        const model = new Map<string, [number, boolean][]>();
        let main = 1;
        for (const { key, kind, back } of steps) {
          const list = model.get(key) ?? [];
          const id = index.find(key);
          if (kind === "prune" && id !== NO_KEY) {
            const revision = main - back;
            index.prune(key, id, revision, 99, () => {});
            const isOld = list.findLastIndex(([at]) => at <= revision);
            const drop =
              isOld >= 0 && list[isOld]![1] && list[isOld]![0] < revision ? isOld + 1 : Math.max(0, isOld);
            model.set(key, list.slice(drop));
          } else if (kind === "put") {
            main += 1;
            index.put(key, main, 0);
            model.set(key, [...list, [main, false]]);
          } else if (kind === "delete" && id !== NO_KEY && index.isLive(id)) {
            main += 1;
            index.delete(id, main, 0);
            model.set(key, [...list, [main, true]]);
          }
        }
        for (const [key, list] of model) {
          const found: [number, boolean][] = [];
          const id = index.find(key);
          if (id !== NO_KEY) index.forEachChange(id, 0, (at, mark) => found.push([at, (mark & 1) === 1]) > 0);
          assert.deepEqual(found, list);
        }
      }),
      { numRuns: 100, seed: 7 },
    );
  });

  test("a key may have a hundred thousand changes", () => {
    const index = new KeyIndex();
    for (let main = 2; main < 100_002; main += 1) index.put("k", main, 0);
    const id = index.find("k");
    assert.ok(index.isLiveAt(id, 50_000));
    assert.equal(index.foundMain, 50_000);
    let dropped = 0;
    index.prune("k", id, 99_999, 200_000, () => {
      dropped += 1;
    });
    assert.equal(dropped, 99_997);
    assert.ok(!index.isLiveAt(id, 99_998));
    assert.ok(index.isLiveAt(id, 100_000));
    assert.equal(index.version(id), 100_000);
  });

  test("the changes of two keys stay what they were as both move through memory", () => {
    const index = new KeyIndex();
    const last = 400_000;
    // Of "b" every third: its runs begin and end within the pages that those of "a" go through.
    for (let main = 2; main <= last; main += 1) index.put(main % 3 === 0 ? "b" : "a", main, main % 7);
    const check = (key: string, isOf: (main: number) => boolean, from: number) => {
      let next = from;
      index.forEachChange(index.find(key), 0, (main, mark) => {
        while (!isOf(next)) next += 1;
        if (main !== next || mark !== (main % 7) * 2)
          assert.fail(`${main}, ${mark} of ${key} where ${next} is`);
        next += 1;
        return true;
      });
      while (next <= last && !isOf(next)) next += 1;
      assert.equal(next, last + 1, key);
    };
    const isOfA = (main: number) => main % 3 !== 0;
    const isOfB = (main: number) => main % 3 === 0;
    check("a", isOfA, 2);
    check("b", isOfB, 2);
    for (const revision of [40_001, 100_001, 300_002]) {
      index.prune("a", index.find("a"), revision, Number.POSITIVE_INFINITY, () => {});
      check("a", isOfA, revision);
      check("b", isOfB, 2);
    }
  });
});
