// Wrong readings of what the log and the promise files must hold, and of what may be believed of them (2.10, A4-A7).
import type { Mutant } from "./mutant.js";

const INDEX = "src/wal/slot-index.ts";
const RECOVERY = "src/wal/recovery.ts";
const WAL = "src/wal/wal.ts";

export const WAL_MUTANTS: readonly Mutant[] = [
  {
    name: "M3",
    what: "a promise that comes along with votes is not written with them",
    file: WAL,
    find: "const promise = Math.max(this.#promised, this.#waitingPromise);",
    replace:
      "const promise = records.length > 0 ? this.#promised : Math.max(this.#promised, this.#waitingPromise);",
  },
  {
    name: "M8",
    what: "damage in the middle of the log is passed over",
    file: RECOVERY,
    find: "if (missing <= 0)",
    replace: "if (missing < Infinity)",
  },
  {
    name: "M8 unreadable",
    what: "sectors of the log that cannot be read count as never written",
    file: "src/wal/unreadable.ts",
    find: "bytes.fill(FILL, at, to);",
    replace: "bytes.fill(0, at, to);",
    also: [{ file: "src/wal/unreadable.ts", find: "holes.push({ from: at, to });", replace: "" }],
  },
  {
    name: "M23",
    what: "a file is renamed without a sync of its directory",
    file: "src/wal/identity.ts",
    find: "await disk.rename(temporary, name);\n    await disk.syncDirectory();",
    replace: "await disk.rename(temporary, name);",
  },
  {
    name: "M44",
    what: "a failed sync is taken for a done one",
    file: "src/wal/segment-files.ts",
    find: "writeSynced(this.#active.file, this.position, bytes, this.#underWay.step(done));",
    replace:
      "const { file } = this.#active;\n        const step = this.#underWay.step(done);\n        " +
      "file.write(this.position, bytes, (error) => error === null ? file.sync(() => step(null)) : step(error));",
  },
  {
    name: "M45",
    what: "a batch counts as whole without a check of its lists",
    file: "src/wal/record-codec.ts",
    find: "return to <= bytes.length && crc32(bytes, 0, header.offset + HEADER, to) === header.listCrc;",
    replace: "return to <= bytes.length;",
  },
  {
    name: "M45 value",
    what: "a value counts as whole without a check of its bytes",
    file: RECOVERY,
    find: "=== entry.crc",
    replace: ">= 0",
    also: [
      { file: RECOVERY, find: "!== crc)", replace: "< 0)" },
      { file: "src/wal/log-reader.ts", find: "crc32(value) !== crc", replace: "crc < 0" },
    ],
  },
  {
    name: "M46",
    what: "a batch is believed wherever it lies",
    file: "src/wal/record-codec.ts",
    find: "if (readU32(bytes, at + 8) !== segment || readU32(bytes, at + 12) !== at)",
    replace: "if (at < 0)",
  },
  {
    name: "F3",
    what: "after a restart the vote in a slot that was executed is taken for the chosen value",
    file: INDEX,
    find: "return this.#pages.get(Math.floor(slot / PAGE))?.state[slot % PAGE] ?? NOTHING;",
    replace:
      "const found = this.#pages.get(Math.floor(slot / PAGE))?.state[slot % PAGE] ?? NOTHING;\n        return found === VOTE ? CHOSEN : found;",
  },
  {
    name: "F3 commit",
    what: "the state is committed before the log on disk shows that what is in it was chosen",
    file: "src/replica/committer.ts",
    find: "if (log.syncedChosenUpTo >= executor.appliedUpTo) {",
    replace: "if (executor.appliedUpTo > 0) {",
  },
  {
    name: "F9",
    what: "an older readable vote stands for a newer one that is damaged",
    file: INDEX,
    find: "damaged(slot, ballot) {\n        if (this.state(slot) === CHOSEN)",
    replace: "damaged(slot, ballot) {\n        if (this.state(slot) !== NOTHING)",
  },
  {
    name: "F9 untied",
    what: "damage that names no slot makes no slot faulty",
    file: RECOVERY,
    find: "this.index.lost(LAST_SLOT);",
    replace: "",
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
    name: "F11",
    what: "a message waits only for what its own turn wrote",
    file: "src/replica/turns.ts",
    find: "if (waits) {",
    replace: `if (outbox.isUrgent && outbox.promise === 0 && outbox.records.length === 0)
            for (const { to, message } of outbox.releaseAfterSync({ turn: this.turn })) network.send(to, message);
        else if (waits) {`,
  },
  {
    name: "F12",
    what: "at the start one copy of the promise is believed, the other never read",
    file: "src/wal/promise-file.ts",
    find: "promised = Math.max(promised, copy.promised);",
    replace: "promised = copy.promised;",
    also: [
      {
        file: "src/wal/promise-file.ts",
        find: "writeSynced(this.#files[1], 0, bytes, done);",
        replace: "done(null);",
      },
    ],
  },
  {
    name: "F29",
    what: "a full disk ends the process",
    file: "src/wal/room.ts",
    find: "if (!isNoSpace(error) || !(await this.lacks(what)))",
    replace: "if (true)",
    also: [
      {
        file: "src/wal/segment-files.ts",
        find: "if (isNoSpace(error))\n                this.#tell(false);\n            else\n                this.#onFailed(error);",
        replace: "this.#onFailed(error);",
      },
    ],
  },
  {
    name: "F23 doubt",
    what: "a torn end that was never synced is kept as damage",
    file: RECOVERY,
    find: "this.#isUnsynced(pending.at(-1)))",
    replace: "this.#isUnsynced(pending.at(-1)) && false)",
  },
  {
    name: "F23 cut",
    what: "whatever cannot be read at the end is cut",
    file: RECOVERY,
    find: 'const undecidable = this.#tail === "undecidable";',
    replace: "const undecidable = false;",
    also: [
      {
        file: RECOVERY,
        find: "if (crc32(bytes, 0, offset, offset + length) !== crc)\n                return isTorn(bytes, header);",
        replace: "if (crc32(bytes, 0, offset, offset + length) !== crc)\n                return true;",
      },
    ],
  },
];
