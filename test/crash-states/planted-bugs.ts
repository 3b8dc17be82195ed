// Bugs to plant: what a log, a directory or a snapshot does wrong with its syncs and its names, and nothing else does.
import type { Mutant } from "../mutants/mutant.js";

const IDENTITY = "src/wal/identity.ts";
const PROMISES = "src/wal/promise-file.ts";
const SEGMENTS = "src/wal/segment-files.ts";
const SNAPSHOTS = "src/replica/snapshot-files.ts";
const WAL = "src/wal/wal.ts";

export const PLANTED_BUGS: readonly Mutant[] = [
  {
    name: "M21",
    what: "segments are removed before the copies of the promise say that the log begins later",
    file: WAL,
    find: "this.#promises.write({ promised, highest, ...manifest }, (error) => {",
    replace:
      "this.#segments.retire(manifest.lowest);\n        this.#promises.write({ promised, highest, ...manifest }, (error) => {",
  },
  {
    name: "M22",
    what: "identity and genesis get their names before their bytes are synced",
    file: IDENTITY,
    find: "await settled((done) => writeSynced(file, 0, bytes, done));",
    replace: "await settled((done) => file.write(0, bytes, done));",
  },
  {
    name: "M22 snapshot",
    what: "a snapshot gets its name before its first sector is synced",
    file: SNAPSHOTS,
    find: "await stepped.write(0, encodeFirstSector(first));\n            await stepped.sync();",
    replace: "await stepped.write(0, encodeFirstSector(first));",
  },
  {
    name: "M22 received",
    what: "a snapshot that was received gets its name before its first sector is synced",
    file: "src/replica/incoming-snapshot.ts",
    find: "await this.#stepped.write(0, encodeFirstSector(first));\n                await this.#stepped.sync();",
    replace: "await this.#stepped.write(0, encodeFirstSector(first));",
  },
  {
    name: "M23",
    what: "identity and genesis are renamed without a sync of the directory",
    file: IDENTITY,
    find: "await disk.rename(temporary, name);\n    await disk.syncDirectory();",
    replace: "await disk.rename(temporary, name);",
  },
  {
    name: "M23 snapshot",
    what: "a snapshot is renamed without a sync of the directory",
    file: SNAPSHOTS,
    find: "await this.#disk.rename(from, snapshotName(first.slot));\n            await this.#disk.syncDirectory();",
    replace: "await this.#disk.rename(from, snapshotName(first.slot));",
  },
  {
    name: "segment name",
    what: "a segment is used before its name is durable",
    file: SEGMENTS,
    find: "await settled((done) => file.sync(done));\n            await this.#disk.syncDirectory();",
    replace: "await settled((done) => file.sync(done));",
  },
  {
    name: "segment early",
    what: "the copies of the promise name a new segment before it is made",
    file: WAL,
    find: "this.#rolling.begin(noted, length, (isThere) => {",
    replace:
      "this.#promises.write({ promised: promise, highest: this.#highest + 1, ...this.#compaction.next }, () => this.#rolling.begin(noted, length, (isThere) => {",
    also: [
      {
        file: WAL,
        find: "this.#writePromise(promise, length);\n        });\n    }\n",
        replace: "this.#writePromise(promise, length);\n        }));\n    }\n",
      },
    ],
  },
  {
    name: "both copies",
    what: "both copies of the promise are written at once",
    file: PROMISES,
    find: "writeSynced(this.#files[0], 0, bytes, (error) => {",
    replace:
      "this.#files[1].write(0, bytes, () => { });\n        writeSynced(this.#files[0], 0, bytes, (error) => {",
  },
  {
    name: "killed copy",
    what: "a copy of the promise that a killed life has left unsynced stays so while the other is written",
    file: PROMISES,
    find: "await settled((done) => files[1].sync(done));",
    replace: "",
  },
  {
    name: "killed genesis",
    what: "the identity relies on a genesis whose name a killed life has left unsynced",
    file: IDENTITY,
    find: "if (genesis !== null && old?.genesisCrc === 0)",
    replace: "if (false)",
  },
  {
    name: "one copy",
    what: "what rests on a promise leaves when one copy of it is synced, and a start believes the other",
    file: PROMISES,
    find: "promised = Math.max(promised, copy.promised);",
    replace: "promised = copy.promised;",
    also: [{ file: PROMISES, find: "writeSynced(this.#files[1], 0, bytes, done);", replace: "done(null);" }],
  },
  {
    name: "in place",
    what: "identity and genesis are written in place",
    file: IDENTITY,
    find: "const temporary = name + NEW_SUFFIX;",
    replace: "const temporary = name;",
  },
  {
    name: "log last",
    what: "in a new directory the identity is written before there is a log",
    file: IDENTITY,
    find: "if (old === null)\n            await createLog(disk);",
    replace: "",
    also: [
      {
        file: IDENTITY,
        find: "await replaceFile(disk, IDENTITY_NAME, encodeIdentity(file));",
        replace:
          "await replaceFile(disk, IDENTITY_NAME, encodeIdentity(file));\n        if (old === null)\n            await createLog(disk);",
      },
    ],
  },
  {
    name: "M30",
    what: "a batch is proven when it is written, not when it is synced",
    file: SEGMENTS,
    find: "writeSynced(this.#active.file, this.position, bytes, this.#underWay.step(done));",
    replace:
      "const { file } = this.#active;\n        file.write(this.position, bytes, this.#underWay.step((error) => { file.sync(() => { }); done(error); }));",
  },
  {
    name: "M3",
    what: "a promise that comes along with votes is not written with them",
    file: WAL,
    find: "const promise = Math.max(this.#promised, this.#waitingPromise);",
    replace:
      "const promise = records.length > 0 ? this.#promised : Math.max(this.#promised, this.#waitingPromise);",
  },
  {
    name: "F10",
    what: "what was read at the start is not made durable",
    file: WAL,
    find: "if (parts.opening !== null)",
    replace: "if (false)",
    also: [{ file: "src/wal/open-log.ts", find: "opening === null ? 0 : end.restates", replace: "0" }],
  },
  {
    name: "F23 doubt",
    what: "a torn end that was never synced is kept as damage",
    file: "src/wal/recovery.ts",
    find: "this.#isUnsynced(pending.at(-1)))",
    replace: "this.#isUnsynced(pending.at(-1)) && false)",
  },
  {
    name: "F3 commit",
    what: "the state is committed before the log on disk shows that what is in it was chosen",
    file: "src/replica/committer.ts",
    find: "if (log.syncedChosenUpTo >= executor.appliedUpTo) {",
    replace: "if (executor.appliedUpTo > 0) {",
  },
  {
    name: "M27",
    what: "the store says that it holds one slot more than it does",
    file: "src/kv/committer.ts",
    find: "head = { slot, meta:",
    replace: "head = { slot: slot + 1, meta:",
  },
  {
    name: "checkpoint early",
    what: "a checkpoint of the index counts as whole before its last chunk",
    file: "src/kv/committer.ts",
    find: "if (underWay === null || underWay.next !== null)",
    replace: "if (underWay === null)",
  },
  {
    name: "old first",
    what: "older snapshots are removed before the new one is there",
    file: "src/replica/snapshotted-machine.ts",
    find: "if (this.#files.newest?.slot !== state.slot)",
    replace:
      "for (const info of this.#files.all)\n            await this.#files.remove(info);\n        if (this.#files.newest?.slot !== state.slot)",
  },
  {
    name: "install order",
    what: "the log forgets what a snapshot covers before its state is durable",
    file: "src/replica/installing.ts",
    find: 'await room.allocate("the state", () => durable.commit(info.slot, meta));\n    await log.compact(info.slot);',
    replace: "await log.compact(info.slot);\n    await durable.commit(info.slot, meta);",
  },
];
