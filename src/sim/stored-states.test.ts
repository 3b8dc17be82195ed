// What a store holds at a start, against what was executed: slot and revision belong together, records are the same.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { KvCommand, KvResult } from "../kv/commands.js";
import { encodeHead, FRESH_HEAD } from "../kv/head.js";
import { MemoryRecordStore } from "../kv/memory-record-store.js";
import { sealedCopy } from "../kv/record-store.js";
import { DeleteRangeResponse, PutResponse } from "../proto/gen/rpc.js";
import { InvariantBroken } from "./ghost.js";
import { StoredStates } from "./stored-states.js";
import { Executions } from "./watched-machine.js";

const throws = (broken: Error) => {
  throw broken;
};
const command = (kind: string) => ({ kind }) as unknown as KvCommand;
const put = (revision: number): KvResult => {
  return { kind: "put", revision, response: PutResponse.fromPartial({}) };
};

/** Slots 1 to 3 each make a revision, slot 5 makes two. */
function executions(): Executions {
  const noted = new Executions(throws, () => 0);
  for (let slot = 1; slot <= 3; slot += 1) {
    noted.note(1, slot, 0, command("put"), Uint8Array.of(slot), put(slot + 1));
  }
  noted.note(1, 5, 0, command("put"), Uint8Array.of(5), put(5));
  noted.note(1, 5, 1, command("put"), Uint8Array.of(6), put(6));
  return noted;
}

/** A store whose head names `slot` and `revision`, with the records of `bodies`, from revision 2 on. */
async function storeOf(
  slot: number,
  revision: number,
  bodies: readonly number[][],
): Promise<MemoryRecordStore> {
  const store = new MemoryRecordStore();
  const append = bodies.flatMap((body, index) =>
    body.map((byte, sub) => {
      return { main: index + 2, sub, sealed: sealedCopy(Uint8Array.of(byte), index + 2, sub) };
    }),
  );
  const head = encodeHead({ ...FRESH_HEAD, slot, revision });
  await store.commit({ head, revision, append, remove: [], chunks: [], keepGenerations: [] });
  return store;
}

test("a fresh store, and stores that end anywhere, are sound", async () => {
  const states = new StoredStates(executions());
  states.onStart(1, new MemoryRecordStore());
  states.onStart(1, await storeOf(2, 3, [[1], [2, 3]]));
  states.onStart(2, await storeOf(4, 4, [[1], [2, 3], [4]]));
  states.onStart(2, await storeOf(5, 6, [[1], [2, 3], [4], [5], [6]]));
  states.onStart(1, await storeOf(9, 6, [[1], [2, 3], [4], [5], [6]]));
});

test("a slot with the state of another, a record that differs, one that is missing", async () => {
  const cases: [number, number, number[][], RegExp][] = [
    [3, 3, [[1], [2, 3]], /^atomicApply: 2 has stored revision 3 with slot 3, after which it is 4$/],
    [2, 4, [[1], [2, 3], [4]], /^atomicApply: 2 has stored revision 4 with slot 2/],
    [2, 3, [[1], [2, 4]], /^storedRecords: the record of revision 3 at 2 is another than elsewhere$/],
    [2, 3, [[], [2, 3]], /^storedRecords: the record of revision 2 at 2 is missing$/],
    [2, 3, [[1], []], /^storedRecords: the record of revision 3 at 2 is missing$/],
    [3, 4, [[1], [], [4]], /^storedRecords: the record of revision 3 at 2 is missing$/],
  ];
  for (const [slot, revision, bodies, message] of cases) {
    const states = new StoredStates(executions());
    states.onStart(1, await storeOf(5, 6, [[1], [2, 3], [4], [5], [6]]));
    const store = await storeOf(slot, revision, bodies);
    assert.throws(() => states.onStart(2, store), { name: InvariantBroken.name, message });
  }
});

test("a revision for what changes nothing, and none for what does", () => {
  const nothing: KvResult = {
    kind: "deleteRange",
    revision: 7,
    response: DeleteRangeResponse.fromPartial({ deleted: 0 }),
  };
  const note = (kind: string, result: KvResult) => () => {
    executions().note(1, 6, 0, command(kind), Uint8Array.of(7), result);
  };
  assert.throws(
    note("deleteRange", nothing),
    /^InvariantBroken: revisions: replica 1, slot 6: deleteRange 7 0/,
  );
  assert.throws(note("put", put(6)), /revisions: .* after revision 6$/);
  assert.throws(note("put", put(8)), /revisions: /);
  note("put", put(7))();
});
