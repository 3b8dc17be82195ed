// An offline look at a data directory tells every damage that changes what a reader reads, and changes nothing itself.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { lockDirectory } from "../../src/io/directory-lock.js";
import { type Inspection, inspectDirectory } from "../../src/io/inspect/inspect-directory.js";
import { ask } from "../../src/io/inspect/inspect-store.js";
import { LmdbRecordStore } from "../../src/io/lmdb-record-store.js";
import { NodeDisk } from "../../src/io/node-disk.js";
import { KvMachine } from "../../src/kv/machine.js";
import { SEAL_BYTES, sealedCopy } from "../../src/kv/record-store.js";
import { compact, put } from "../../src/kv/requests-for-tests.js";
import { FenceFile } from "../../src/replica/fence-file.js";
import type { MemoryDisk } from "../../src/wal/memory-disk.js";
import { copyGolden, GOLDEN, goldenDisk } from "./golden-disk.js";
import { readDirectory } from "./read-directory.js";
import { inScratch, load, metaOf } from "./store.js";

function fingerprint(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map(
      (path) =>
        `${path} ${statSync(path).mtimeMs} ${createHash("sha256").update(readFileSync(path)).digest("hex")}`,
    );
}

const lines = (found: Inspection): string[] =>
  found.findings.map(({ file, offset, text }) => `${file} ${offset}: ${text}`);

/** The golden directory with something done to it. */
function inspected(name: string, harm: (directory: string) => unknown = () => {}): Promise<Inspection> {
  return inScratch(async (scratch) => {
    const directory = copyGolden(name, join(scratch, "data"));
    await harm(directory);
    const before = fingerprint(directory);
    try {
      return await inspectDirectory(directory, true);
    } finally {
      assert.deepEqual(fingerprint(directory), before);
    }
  });
}

test("an end that cannot be read, and was found void by the life that came then", async () => {
  const found = await inspected("voided");
  assert.deepEqual(lines(found), [
    "log-0000000002 512: one or more batches before this one cannot be read; what it held of slots from 2 on was found " +
      "void since, and the rest is known chosen: nothing is lost",
  ]);
});

test("a directory that was closed in good order", async () => {
  const found = await inspected("compacted");
  assert.deepEqual([found.findings, found.notes, found.leftOver], [[], [], []]);
  assert.equal(found.identity?.incarnation, 2);
  assert.deepEqual(
    found.genesis?.members.map(({ id }) => id),
    [1],
  );
  assert.deepEqual(found.state, { kind: "snapshots", slot: 56 });
  assert.deepEqual(
    found.snapshots.map(({ slot, isWhole }) => [slot, isWhole]),
    [
      [19, true],
      [56, true],
    ],
  );
  const { promised, compactedUpTo, chosenUpTo, lastSlot, closedInOrder, segments } = found.log!;
  const log = { promised: 131073, compactedUpTo: 14, chosenUpTo: 80, lastSlot: 80, closedInOrder: true };
  assert.deepEqual({ promised, compactedUpTo, chosenUpTo, lastSlot, closedInOrder }, log);
  assert.equal(segments.length, 11);
});

test("a directory whose replica was killed: no finding, for nothing is lost", async () => {
  for (const name of ["killed", "killed-promise-1"]) {
    const found = await inspected(name);
    assert.deepEqual(lines(found), []);
    assert.deepEqual(
      found.notes.map(({ file }) => file),
      ["log-0000000001"],
    );
    assert.deepEqual(
      found.leftOver.map(({ file }) => file),
      ["log-0000000002"],
    );
    assert.deepEqual([found.log!.chosenUpTo, found.log!.lastSlot], [2, 3]);
  }
});

async function readOrRefusal(disk: MemoryDisk): Promise<string> {
  return readDirectory(disk).catch((error: Error) => `refused: ${error.message}`);
}

for (const name of ["compacted", "killed"]) {
  test(`${name}: a byte that changes what is read, or what is damaged, is told`, async () => {
    const whole = goldenDisk(name);
    const asItIs = await readDirectory(whole);
    let told = 0;
    await inScratch(async (scratch) => {
      const directory = copyGolden(name, join(scratch, "data"));
      for (const file of whole.names()) {
        const bytes = readFileSync(join(directory, file));
        for (let at = 3; at < bytes.length; at += file.startsWith("log") ? 97 : 11) {
          const harmed = Buffer.from(bytes);
          harmed[at]! ^= 0x11;
          const disk = whole.copy();
          disk.put(file, new Uint8Array(harmed));
          if ((await readOrRefusal(disk)) === asItIs) continue;
          writeFileSync(join(directory, file), harmed);
          const found = await inspectDirectory(directory, true);
          assert.ok(found.findings.length > 0, `${file}, byte ${at}`);
          told += 1;
        }
        writeFileSync(join(directory, file), bytes);
      }
    });
    assert.ok(told > 50, `${told}`);
  });
}

const REMOVED: readonly [string, string[], RegExp[]][] = [
  ["compacted", ["identity"], [/^identity null: is missing; restore it/]],
  ["compacted", ["genesis"], [/^genesis null: .*"genesis" of this data directory is missing/]],
  [
    "compacted",
    ["promise-b"],
    [/^promise-b null: is missing; the next start writes it again, as promise-a has it/],
  ],
  [
    "compacted",
    ["promise-a", "promise-b"],
    [/^log null: .*no copy of the promise can be read.*must be replaced/],
  ],
  ["compacted", ["log-0000000007"], [/^log null: log-0000000007 is missing.*must be replaced/]],
  ["compacted", ["snapshot-0000000000000056"], []],
  [
    "compacted",
    ["snapshot-0000000000000019", "snapshot-0000000000000056"],
    [
      /^log null: the state is that of slot 0, .* after slot 14: slots 1 to 14 are lost here; there is no other member/,
    ],
  ],
];

for (const [name, files, sentences] of REMOVED) {
  test(`${name} without ${files.join(" and ")}`, async () => {
    const found = await inspected(name, (directory) => {
      for (const file of files) rmSync(join(directory, file));
    });
    assert.equal(found.findings.length, sentences.length, lines(found).join("\n"));
    for (const [i, sentence] of sentences.entries()) assert.match(lines(found)[i]!, sentence);
  });
}

test("a damaged value is told with its slot, and with what becomes of it", async () => {
  const harm = (word: string) => (directory: string) => {
    const path = join(directory, "log-0000000001");
    const bytes = readFileSync(path);
    bytes[bytes.indexOf(word)]! ^= 1;
    writeFileSync(path, bytes);
  };
  assert.match(
    lines(await inspected("killed", harm("two")))[0]!,
    /^log-0000000001 \d+: a value does not fit its checksum; slot 2: a vote or a chosen value is lost, .* it is taken from the other members$/,
  );
});

test("a damaged first sector of a segment is told, though its batches are read", async () => {
  const found = await inspected("compacted", (directory) => {
    const path = join(directory, "log-0000000008");
    const bytes = readFileSync(path);
    bytes[200]! ^= 1;
    writeFileSync(path, bytes);
  });
  assert.deepEqual(lines(found), [
    "log-0000000008 0: the first sector is damaged; the batches behind it are read all the same",
  ]);
});

/** A directory of a member of the key-value server: the log of `killed`, beside the golden store of slot 11. */
function withStore(harm: (directory: string) => unknown = () => {}): Promise<Inspection> {
  return inspected("killed", async (directory) => {
    mkdirSync(join(directory, "store"));
    await load(join(directory, "store"), readFileSync(join(GOLDEN, "store.hex"), "utf8"));
    await harm(directory);
  });
}

const HIDDEN =
  /^log null: the state is that of slot 11, and the log does not show .* up to 11; the next start compacts/;

test("a store whose log is behind it", async () => {
  const found = await withStore();
  assert.deepEqual(found.state, {
    ...found.state,
    kind: "store",
    slot: 11,
    revision: 7,
    compactRevision: 3,
    keys: 4,
    noted: { slot: 11, digest: 42 },
  });
  assert.equal(found.findings.length, 1);
  assert.match(lines(found)[0]!, HIDDEN);
});

test("a store with damaged records: each is told", async () => {
  const found = await withStore((directory) => {
    const path = join(directory, "store", "data.mdb");
    const bytes = readFileSync(path);
    for (const record of ["010162030233", "010165070135"]) {
      for (let at = bytes.indexOf(record, 0, "hex"); at >= 0; at = bytes.indexOf(record, at + 1, "hex"))
        bytes[at + 5]! ^= 4;
    }
    writeFileSync(path, bytes);
  });
  const store = lines(found).filter((line) => line.startsWith("store"));
  assert.equal(store.length, 2, lines(found).join("\n"));
  assert.match(
    store[0]!,
    /record of revision 6\.0 is damaged.*sets the store aside and rebuilds it: it is made anew/,
  );
  assert.match(store[1]!, /record of revision 7\.1 is damaged/);
});

test("a store with a record that is missing, and a key that has it", async () => {
  const found = await inspected("killed", async (directory) => {
    mkdirSync(join(directory, "store"));
    const text = readFileSync(join(GOLDEN, "store.hex"), "utf8");
    await load(join(directory, "store"), text.replace(/^0100000000000000000400.*\n/m, ""));
  });
  assert.match(lines(found)[0]!, /record of revision 4\.0 is missing, and a key has it/);
});

test("what a compaction has removed, and the checkpoint of the index still has, is not missing", async () => {
  const found = await inspected("killed", async (directory) => {
    const pace = { records: 4, keys: 100, keysPerRecord: 4, chunkKeys: 2 };
    const machine = await KvMachine.open(await LmdbRecordStore.open(join(directory, "store")), pace);
    for (const value of ["1", "2", "3"]) for (const key of ["a", "b"]) machine.apply(put(key, value));
    await machine.commit(1, metaOf(1, 0));
    machine.apply(compact(6));
    await machine.commit(2, metaOf(2, 0));
    await machine.settled();
    await machine.close();
  });
  assert.deepEqual(lines(found), []);
});

test("a store that is nonsense, or is gone", async () => {
  const nonsense = await withStore((directory) =>
    writeFileSync(join(directory, "store", "data.mdb"), Buffer.alloc(20_000, "nonsense")),
  );
  assert.match(lines(nonsense)[0]!, /^store.data\.mdb null: it is damaged, or no store at all; the replica/);
  assert.equal(nonsense.state, null);
  const pages = await withStore((directory) => {
    const path = join(directory, "store", "data.mdb");
    const bytes = readFileSync(path);
    bytes.fill(0xee, 2 * 4096);
    writeFileSync(path, bytes);
  });
  assert.match(lines(pages)[0]!, /^store.data\.mdb null: /);
  const gone = await withStore((directory) => rmSync(join(directory, "store", "data.mdb")));
  assert.match(lines(gone)[0]!, /^store.data\.mdb null: is missing/);
  const directory = await withStore((directory) => {
    rmSync(join(directory, "store", "data.mdb"));
    mkdirSync(join(directory, "store", "data.mdb"));
  });
  assert.match(lines(directory)[0]!, /^store.data\.mdb null: is no file/);
  const file = await withStore((directory) => {
    rmSync(join(directory, "store"), { recursive: true });
    writeFileSync(join(directory, "store"), "");
  });
  assert.match(lines(file)[0]!, /^store null: is no directory; move it away/);
});

test("a process that reads a store without end, or is ended by it, is told as damage", async () => {
  await inScratch(async (scratch) => {
    const endless = join(scratch, "endless.mjs");
    writeFileSync(endless, "for (;;);");
    assert.match(
      (await ask(scratch, true, 300, endless)).faults[0]!,
      /damaged: it cannot be read to its end$/,
    );
    const aborted = join(scratch, "aborted.mjs");
    writeFileSync(aborted, "process.abort();");
    assert.match((await ask(scratch, true, 60_000, aborted)).faults[0]!, /damaged: it ended the process/);
    // An end that says nothing of the store is not told as damage of it.
    for (const [program, reason] of [
      [
        'process.kill(process.pid, "SIGKILL"); setInterval(() => {}, 9);',
        /SIGKILL, perhaps because the machine/,
      ],
      ['process._rawDebug("JavaScript heap out of memory"); process.abort();', /has not enough memory/],
      ['throw new Error("nothing to do with it");', /status 1: .*nothing to do with it/s],
    ] as const) {
      writeFileSync(aborted, program);
      await assert.rejects(ask(scratch, true, 60_000, aborted), {
        name: "DataDirectoryError",
        message: reason,
      });
    }
  });
});

test("a store that is marked, and one that was set aside", async () => {
  const marked = (mark: string, name = "mark") =>
    withStore((directory) => {
      mkdirSync(join(directory, "store.damaged-1"));
      writeFileSync(join(directory, "store", name), mark);
    });
  const condemned = await marked('{"state":"condemned","deaths":0,"reason":"a record is missing"}\n');
  assert.match(
    lines(condemned)[0]!,
    /^store.mark null: .*damaged \(a record is missing\); the next start sets it aside.*: it is made anew/,
  );
  assert.ok(condemned.leftOver.some(({ file }) => file === "store.damaged-1"));
  for (const mark of ['{"state":"young","deaths":1,"reason":""}\n', "nonsense"]) {
    const young = await marked(mark);
    assert.match(lines(young)[0]!, HIDDEN);
    assert.ok(young.notes.some(({ file, text }) => file.endsWith("mark") && /a process ended/.test(text)));
  }
  const { notes } = await marked("1", "scrub");
  assert.ok(notes.some(({ text }) => /^a process ended while it scrubbed/.test(text)));
  const gone = await inspected("compacted", (directory) => mkdirSync(join(directory, "store.damaged-2")));
  assert.equal(gone.state?.kind, "store");
  assert.match(lines(gone)[0]!, /^store.data\.mdb null: is missing.*there is no other member/);
});

test("a store whose head holds no table of sessions", async () => {
  const found = await inspected("killed", async (directory) => {
    mkdirSync(join(directory, "store"));
    const [head, ...rest] = readFileSync(join(GOLDEN, "store.hex"), "utf8").split("\n");
    const facts = Buffer.from(head!.split(" ")[1]!, "hex").subarray(SEAL_BYTES);
    facts[facts.indexOf("0501010109", 0, "hex")] = 5;
    facts[facts.indexOf("0501010109", 0, "hex") + 1] = 9;
    const sealed = Buffer.from(sealedCopy(facts, 0, 0)).toString("hex");
    await load(join(directory, "store"), [`00 ${sealed}`, ...rest].join("\n"));
  });
  assert.match(lines(found)[0]!, /table of sessions that the head holds is intact and yet none/);
});

test("a state that is not that of the majority", async () => {
  const found = await inspected("killed", async (directory) => {
    const fence = await FenceFile.open(await NodeDisk.open(directory));
    await fence.write({ slot: 1024, members: [2, 3] });
  });
  assert.deepEqual(lines(found), [
    "diverged null: after slot 1024 the state here is not that of the majority; this replica serves nobody until it has that of one of the replicas 2, 3",
  ]);
  const unreadable = await inspected("killed", (directory) =>
    writeFileSync(join(directory, "diverged"), "x"),
  );
  assert.match(lines(unreadable)[0]!, /^diverged null: cannot be read, .*until it has that of another$/);
});

test("left-over files are named, and what is none of Synod's", async () => {
  const found = await inspected("compacted", (directory) => {
    for (const file of [
      "log-0000000001",
      "log-0000000099",
      "snapshot-0000000000000003.part",
      "snapshot-0000000000000002.diverged",
      "diverged.new",
      "lock",
      "notes.txt",
    ]) {
      writeFileSync(join(directory, file), "x");
    }
  });
  assert.deepEqual(lines(found), []);
  assert.deepEqual(found.leftOver.map(({ file }) => file).sort(), [
    "diverged.new",
    "lock",
    "log-0000000001",
    "log-0000000099",
    "notes.txt",
    "snapshot-0000000000000002.diverged",
    "snapshot-0000000000000003.part",
  ]);
});

test("a directory in use, an empty one, and one above", () =>
  inScratch(async (scratch) => {
    const directory = copyGolden("compacted", join(scratch, "data"));
    await assert.rejects(inspectDirectory(scratch, true), {
      code: "DATA_DIRECTORY",
      message: /holds no data of a replica.*; there is one in .*data$/,
    });
    const lock = await lockDirectory(directory);
    await assert.rejects(inspectDirectory(directory, true), /in use by process \d+: stop that process first/);
    await lock.release();
    assert.deepEqual((await inspectDirectory(directory, true)).findings, []);
  }));
