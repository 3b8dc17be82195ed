// Random histories on three stores: a naive model that copies everything at every revision, a machine that lives
// on undisturbed, and one that commits, crashes, restarts, compacts for good and moves by snapshot.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { KeyValue } from "../proto/gen/kv.js";
import type { KvCommand, KvResult } from "./commands.js";
import { KvMachine } from "./machine.js";
import { MemoryMedium, MemoryRecordStore } from "./memory-record-store.js";
import {
  bytes,
  compact,
  compare,
  del,
  deleteRequest,
  put,
  putRequest,
  range,
  text,
  txn,
} from "./requests-for-tests.js";

/** A checkpoint takes several commits, and is soon followed by the next. */
const PACE = { records: 4, keys: 2, keysPerRecord: 0, chunkKeys: 1 };

/** Long enough for the next commands to be applied meanwhile. */
function aWhile(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

type State = ReadonlyMap<string, KeyValue>;

/** The whole state at every revision. */
class Model {
  readonly states: State[] = [new Map(), new Map()];
  compactRevision = -1;

  get revision(): number {
    return this.states.length - 1;
  }

  get newest(): State {
    return this.states.at(-1)!;
  }

  change(edit: (state: Map<string, KeyValue>, revision: number) => boolean): void {
    const state = new Map(this.newest);
    if (edit(state, this.revision + 1)) this.states.push(state);
  }
}

function putInto(state: Map<string, KeyValue>, revision: number, key: string, value: string): true {
  const old = state.get(key);
  state.set(key, {
    key: bytes(key),
    createRevision: old?.createRevision ?? revision,
    modRevision: revision,
    version: (old?.version ?? 0) + 1,
    value: bytes(value),
    lease: 0n,
  });
  return true;
}

function deleteFrom(state: Map<string, KeyValue>, key: string, end: string): boolean {
  const before = state.size;
  for (const other of [...state.keys()]) {
    const isIn = end === "" ? other === key : other >= key && (end === "\0" || other < end);
    if (isIn) state.delete(other);
  }
  return state.size < before;
}

const KEYS = ["a", "b", "b\0", "c", "\xff", "d".repeat(40)];
const keyOf = fc.constantFrom(...KEYS);
const endOf = fc.constantFrom("", "\0", "c", "b\0");
const someValue = fc.constantFrom("", "1", "22", "\xff\0");

interface Step {
  readonly command?: KvCommand;
  readonly model?: (model: Model) => void;
  readonly event?: "commit" | "begin commit" | "crash" | "restart" | "settle" | "snapshot";
  readonly look?: { readonly key: string; readonly end: string; readonly back: number };
}

const putStep = fc.tuple(keyOf, someValue).map(
  ([key, value]): Step => ({
    command: put(key, value),
    model: (model) => model.change((state, revision) => putInto(state, revision, key, value)),
  }),
);
const deleteStep = fc.tuple(keyOf, endOf).map(
  ([key, end]): Step => ({
    command: del(key, end),
    model: (model) => model.change((state) => deleteFrom(state, key, end)),
  }),
);
/** Deletes a range and puts outside it, if a key has a version; puts otherwise. */
const txnStep = fc
  .tuple(keyOf, fc.integer({ min: 0, max: 2 }), someValue)
  .map(([key, version, value]): Step => {
    const success = [
      { requestDeleteRange: deleteRequest("b", "c") },
      { requestPut: putRequest("c", value) },
      { requestPut: putRequest("a", value) },
    ];
    return {
      command: txn([compare(key, { target: 0, version })], success, [{ requestPut: putRequest(key, value) }]),
      model: (model) =>
        model.change((state, revision) => {
          if ((state.get(key)?.version ?? 0) !== version) return putInto(state, revision, key, value);
          deleteFrom(state, "b", "c");
          putInto(state, revision, "c", value);
          return putInto(state, revision, "a", value);
        }),
    };
  });
const compactStep = fc.integer({ min: -1, max: 6 }).map(
  (back): Step => ({
    model: (model) => {
      const target = model.revision - back;
      if (target > model.compactRevision && target <= model.revision) model.compactRevision = target;
    },
    look: { key: "compact", end: "", back },
  }),
);
const eventStep = fc
  .constantFrom("commit", "commit", "begin commit", "begin commit", "crash", "restart", "settle", "snapshot")
  .map((event): Step => ({ event }) as Step);
const lookStep = fc
  .tuple(keyOf, endOf, fc.integer({ min: 0, max: 20 }))
  .map(([key, end, back]): Step => ({ look: { key, end, back } }));
const stepOf = fc.oneof(
  { arbitrary: putStep, weight: 8 },
  { arbitrary: deleteStep, weight: 3 },
  { arbitrary: txnStep, weight: 3 },
  { arbitrary: compactStep, weight: 2 },
  { arbitrary: eventStep, weight: 6 },
  { arbitrary: lookStep, weight: 4 },
);

class Trial {
  readonly model = new Model();
  readonly log: KvCommand[] = [];
  readonly results: KvResult[] = [];
  #medium = new MemoryMedium();
  #store = new MemoryRecordStore(this.#medium);
  #steady!: KvMachine;
  #tossed!: KvMachine;
  #underWay: Promise<void> = Promise.resolve();

  async run(steps: readonly Step[]): Promise<void> {
    this.#steady = await KvMachine.open(new MemoryRecordStore());
    await this.#open();
    for (const step of steps) await this.#step(step);
    await this.#event("restart");
    await this.#check();
  }

  async #open(): Promise<void> {
    this.#store = new MemoryRecordStore(this.#medium, aWhile);
    this.#tossed = await KvMachine.open(this.#store, PACE);
    for (let slot = this.#tossed.held().slot; slot < this.log.length; slot += 1) {
      assert.deepEqual(this.#apply(this.#tossed, this.log[slot]!), this.results[slot]);
    }
  }

  #apply(machine: KvMachine, command: KvCommand): KvResult {
    return machine.apply(machine.decode(machine.encode(command)));
  }

  #execute(command: KvCommand): void {
    const result = this.#apply(this.#steady, command);
    this.log.push(command);
    this.results.push(result);
    assert.deepEqual(this.#apply(this.#tossed, command), result);
  }

  async #step({ command, model, event, look }: Step): Promise<void> {
    if (event !== undefined) return this.#event(event);
    if (look?.key === "compact") this.#execute(compact(this.model.revision - look.back));
    if (command !== undefined) this.#execute(command);
    model?.(this.model);
    if (command === undefined && model === undefined) await this.#look(look!);
    const { revision } = await this.#tossed.query({ kind: "status" });
    assert.equal(revision, this.model.revision);
  }

  async #event(event: NonNullable<Step["event"]>): Promise<void> {
    await this.#underWay;
    switch (event) {
      case "commit":
        await this.#tossed.commit(this.log.length, bytes("meta"));
        return;
      case "begin commit":
        this.#underWay = this.#tossed.commit(this.log.length, bytes("meta"));
        return;
      case "crash":
        // Both a commit under way and what came after the last one are lost.
        void this.#tossed.commit(this.log.length, bytes("lost"));
        this.#store.crash();
        return this.#open();
      case "restart":
        await this.#tossed.commit(this.log.length, bytes("meta"));
        await this.#tossed.close();
        return this.#open();
      case "settle":
        await this.#tossed.settled();
        return this.#compareHashes();
      case "snapshot": {
        const slot = this.log.length;
        this.#medium = new MemoryMedium();
        const next = await KvMachine.open(new MemoryRecordStore(this.#medium), PACE);
        await next.restore(this.#tossed.snapshot());
        await next.commit(slot, bytes("meta"));
        await next.close();
        return this.#open();
      }
    }
  }

  async #look({ key, end, back }: NonNullable<Step["look"]>): Promise<void> {
    const revision = Math.max(1, this.model.revision - back);
    const query = { kind: "range", request: range(key, { rangeEnd: end, revision }) } as const;
    const found = await this.#tossed.query(query);
    assert.deepEqual(found, await this.#steady.query(query));
    if (revision < this.model.compactRevision) {
      assert.deepEqual(found, { kind: "refused", revision: this.model.revision, refusal: "compacted" });
      return;
    }
    const isIn = (other: string): boolean =>
      end === "" ? other === key : other >= key && (end === "\0" || other < end);
    const kvs = [...this.model.states[revision]!.values()]
      .filter((kv) => isIn(text(kv.key)))
      .sort((a, b) => (text(a.key) < text(b.key) ? -1 : 1));
    assert.equal(found.kind, "range");
    assert.deepEqual(found.kind === "range" && found.response.kvs, kvs);
  }

  async #compareHashes(): Promise<void> {
    assert.deepEqual(await this.#tossed.query({ kind: "hash" }), await this.#steady.query({ kind: "hash" }));
  }

  async #check(): Promise<void> {
    await this.#event("settle");
    for (let back = 0; back < 20; back += 1) await this.#look({ key: "\0", end: "\0", back });
  }
}

test("a machine that crashes, restarts, compacts and moves says what an undisturbed one and a model say", async () => {
  const property = fc.asyncProperty(
    fc.array(stepOf, { minLength: 1, maxLength: 150, size: "max" }),
    (steps) => new Trial().run(steps),
  );
  await fc.assert(property, { numRuns: 80, seed: 20261123 });
});
