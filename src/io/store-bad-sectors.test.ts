// A sector of the store that the disk cannot read is damage of the store, where a start meets it: it does not fail by
// that again and again, while the log and the peers have everything.
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { withBadSector } from "../../test/support/bad-sector.js";
import type { KvMachine } from "../kv/machine.js";
import { put } from "../kv/requests-for-tests.js";
import { openKv } from "./kv-opening.js";
import { checkInChild } from "./store-check.js";
import { StoreMark } from "./store-mark.js";

interface Lab {
  readonly store: string;
  readonly faults: string[];
  start(): Promise<KvMachine>;
}

/** A store with a record, closed in good order. */
async function withStore(run: (lab: Lab) => Promise<void>): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), "synod-sectors-"));
  const faults: string[] = [];
  const start = () => openKv(dataDir, { isAlone: false, tell: (fault) => faults.push(fault) });
  try {
    const machine = await start();
    machine.apply(put("key", "value"));
    await machine.commit(1, new Uint8Array(0));
    await machine.close();
    await run({ store: join(dataDir, "store"), faults, start });
  } finally {
    await rm(dataDir, { recursive: true });
  }
}

/** What is held after a start with a bad sector, if it succeeds. */
async function slotAfter({ start }: Lab, path: string, from: number, times?: number): Promise<number> {
  const machine = await withBadSector(path, [from, from + 512], start, times);
  const { slot } = machine.held();
  await machine.close();
  return slot;
}

for (const from of [0, 4096]) {
  test(`in the first pages, at ${from}: set aside, and an empty store takes its place`, () =>
    withStore(async (lab) => {
      assert.equal(await slotAfter(lab, join(lab.store, "data.mdb"), from), 0);
      const names = await readdir(join(lab.store, ".."));
      assert.deepEqual(names.sort(), ["store", "store.damaged-1"]);
      assert.equal(lab.faults.length, 1);
      assert.match(lab.faults[0]!, /data\.mdb cannot be read \(EIO\)/);
    }));
}

test("one that is read at a later try is no damage", () =>
  withStore(async (lab) => {
    assert.equal(await slotAfter(lab, join(lab.store, "data.mdb"), 0, 2), 1);
    assert.deepEqual(lab.faults, []);
  }));

test("the process that checks a store calls it damage, too", () =>
  withStore(async ({ store }) => {
    const preload = join(store, "preload.mjs");
    const support = new URL("../../test/support/bad-sector.js", import.meta.url).href;
    const path = JSON.stringify(join(store, "data.mdb"));
    await writeFile(
      preload,
      `import { withBadSector } from ${JSON.stringify(support)};
      withBadSector(${path}, [0, 512], () => new Promise(() => {}));`,
    );
    const { NODE_OPTIONS } = process.env;
    process.env.NODE_OPTIONS = `${NODE_OPTIONS ?? ""} --import ${preload}`;
    try {
      assert.match((await checkInChild(store)) ?? "", /data\.mdb cannot be read \(EIO\)/);
    } finally {
      if (NODE_OPTIONS === undefined) delete process.env.NODE_OPTIONS;
      else process.env.NODE_OPTIONS = NODE_OPTIONS;
    }
  }));

test("a mark that cannot be read asks for a check, as does the file of a scrub, and the start makes both anew", () =>
  withStore(async (lab) => {
    const { store } = lab;
    const nothing = { mark: null, diedInScrub: false, unreadable: [] };
    const opening = { state: "opening", deaths: 0, reason: "" };
    for (const [name, expected] of [
      ["mark", { mark: opening, diedInScrub: false, unreadable: ["mark"] }],
      ["scrub", { mark: null, diedInScrub: true, unreadable: ["scrub"] }],
    ] as const) {
      const path = join(store, name);
      const look = async () => {
        const { found: mark, diedInScrub, unreadable } = await StoreMark.read(store);
        return { mark, diedInScrub, unreadable };
      };
      if (name === "mark") await writeFile(path, JSON.stringify({ state: "young", deaths: 1, reason: "" }));
      assert.deepEqual(await withBadSector(path, [0, 512], look), expected);
      assert.equal(await slotAfter(lab, path, 0), 1);
      assert.deepEqual(await look(), nothing);
    }
    assert.equal(await readFile(join(store, "scrub"), "utf8"), "0");
    assert.deepEqual(lab.faults, []);
  }));
