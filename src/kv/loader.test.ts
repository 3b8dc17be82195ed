// Records of a snapshot are handed over while the next ones are read: what that may not change.
import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes } from "../base/bytes.js";
import { loadSnapshot } from "./loader.js";
import { MemoryMedium, MemoryRecordStore } from "./memory-record-store.js";
import { encodePut, RecordBlocks } from "./record.js";
import { type Replacement, SEAL_BYTES } from "./record-store.js";
import { bytes } from "./requests-for-tests.js";
import { FRESH_DIGEST } from "./running-digest.js";
import {
  BadSnapshot,
  encodeEndFrame,
  encodeHeaderFrame,
  type FrozenRecord,
  RecordsFrames,
} from "./snapshot.js";

const MANY = 5 << 20;

function record(main: number, size = MANY): FrozenRecord {
  const sealed = encodePut(new RecordBlocks(), main, 0, bytes(`k${main}`), main, 1, 0n, new Uint8Array(size));
  return { main, sub: 0, body: sealed.subarray(SEAL_BYTES) };
}

function frameOf({ main, sub, body }: FrozenRecord): Uint8Array {
  const frames = new RecordsFrames();
  frames.add(main, sub, body);
  return frames.end();
}

function load(frames: readonly Uint8Array[], replacement: Replacement) {
  async function* chunks() {
    yield encodeHeaderFrame(3, 0, FRESH_DIGEST);
    yield* frames;
  }
  return loadSnapshot(chunks(), new MemoryRecordStore(), replacement);
}

/** Each load is under way until it is let end. */
function slow() {
  const trace: string[] = [];
  const ends: ((error?: Error) => void)[] = [];
  const replacement: Replacement = {
    load: (records) =>
      new Promise((resolve, reject) => {
        trace.push(`load ${records.map(({ main }) => main).join()}`);
        ends.push((error) => {
          trace.push("loaded");
          if (error === undefined) resolve();
          else reject(error);
        });
      }),
    abandon: async () => {},
  };
  const turn = () => new Promise(setImmediate);
  return { trace, ends, replacement, turn };
}

test("one load at a time, and the last one is waited for", async () => {
  const { trace, ends, replacement, turn } = slow();
  const frames = [2, 3].map((main) => frameOf(record(main)));
  let isOver = false;
  const store = load([...frames, encodeEndFrame(2)], replacement).then(() => {
    isOver = true;
  });
  await turn();
  assert.deepEqual(trace, ["load 2"]);
  ends[0]!();
  await turn();
  assert.deepEqual([trace, isOver], [["load 2", "loaded", "load 3"], false]);
  ends[1]!();
  await store;
});

test("a snapshot that turns out bad is told only when nothing is loaded any more", async () => {
  const { trace, ends, replacement, turn } = slow();
  const store = load([frameOf(record(2)), encodeEndFrame(7)], replacement);
  let isOver = false;
  const rejected = assert.rejects(store, BadSnapshot).then(() => {
    isOver = true;
  });
  await turn();
  assert.deepEqual([trace, isOver], [["load 2"], false]);
  ends[0]!();
  await rejected;
});

test("a load that fails is told, whatever was read meanwhile", async () => {
  for (const after of [[], [frameOf(record(3))]]) {
    const { ends, replacement, turn } = slow();
    const frames = [frameOf(record(2)), ...after];
    const store = load([...frames, encodeEndFrame(frames.length)], replacement);
    const rejected = assert.rejects(store, /no room/);
    await turn();
    ends[0]!(new Error("no room"));
    await rejected;
  }
});

test("records that come all at once are taken in slices, however small or large they are", async () => {
  for (const [size, count, pauses] of [
    [1, 9_000, 9],
    [MANY, 5, 5],
  ] as const) {
    let turns = 0;
    const store = new MemoryRecordStore(new MemoryMedium(), async () => {
      turns += 1;
    });
    const frames = [encodeHeaderFrame(count + 1, 0, FRESH_DIGEST)];
    for (let main = 2; main <= count + 1; main += 1) frames.push(frameOf(record(main, size)));
    frames.push(encodeEndFrame(count));
    async function* chunks() {
      yield concatBytes(frames);
    }
    await loadSnapshot(chunks(), store, await store.replacement());
    assert.ok(turns >= pauses, `${turns} pauses`);
  }
});
