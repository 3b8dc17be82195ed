// Recovery after a kill at any byte of a write, and from damage anywhere: nothing acknowledged is lost or passed
// over in silence, nothing appears that was not appended.
import assert from "node:assert/strict";
import { test } from "node:test";
import { chosen, describeRecovered, learned, text, vote, WalLife } from "../../test/support/wal-life.js";
import { checkDamaged, checkPrefix, LogState, type Turn } from "../../test/support/wal-model.js";
import type { LogRecord } from "../paxos/outbox.js";
import type { Disk, DiskFile } from "./disk.js";
import { MemoryDisk } from "./memory-disk.js";

interface Write {
  readonly name: string;
  readonly position: number;
  readonly bytes: Uint8Array;
  /** Turns proven when it was issued. */
  readonly proven: number;
}

/** Notes every write before it is done. */
class RecordingDisk implements Disk {
  readonly #disk: MemoryDisk;
  readonly #proven: () => number;
  readonly writes: Write[] = [];

  constructor(disk: MemoryDisk, proven: () => number) {
    this.#disk = disk;
    this.#proven = proven;
  }

  list = () => this.#disk.list();
  read = (name: string) => this.#disk.read(name);
  rename = (from: string, to: string) => this.#disk.rename(from, to);
  remove = (name: string) => this.#disk.remove(name);
  syncDirectory = () => this.#disk.syncDirectory();

  async open(name: string, create: boolean): Promise<DiskFile> {
    const file = await this.#disk.open(name, create);
    return {
      name,
      size: () => file.size(),
      read: (position, length) => file.read(position, length),
      sync: (done) => file.sync(done),
      close: () => file.close(),
      write: (position, bytes, done) => {
        this.writes.push({ name, position, bytes: bytes.slice(), proven: this.#proven() });
        file.write(position, bytes, done);
      },
    };
  }
}

const long = (letter: string, length: number) => letter.repeat(length);

const turns: Turn[] = [
  { promise: 5, records: [vote(1, 5, "one"), vote(2, 5, long("t", 700))] },
  { promise: 0, records: [vote(3, 5, "three"), chosen(1), vote(4, 5, text("\0".repeat(1500)))] },
  { promise: 9, records: [vote(3, 9, "three at nine"), learned(2, "two learned")] },
  { promise: 0, records: [chosen(3), vote(6, 9, long("s", 1200))] },
  { promise: 0, records: [vote(5, 9, "five"), vote(6, 9, "six again"), vote(7, 9, "seven")] },
  { promise: 12, records: [] },
  { promise: 0, records: [vote(8, 12, long("e", 900)), chosen(4), learned(5, "five")] },
  { promise: 0, records: [vote(9, 12, "nine"), vote(10, 12, ""), vote(11, 12, long("z", 60))] },
];

async function play(
  segmentBytes: number,
): Promise<{ before: MemoryDisk; disk: MemoryDisk; writes: Write[] }> {
  const disk = new MemoryDisk();
  const first = await WalLife.open(disk, { segmentBytes });
  await first.wal.close();
  const before = disk.copy();
  let life: WalLife | null = null;
  const recording = new RecordingDisk(disk, () => life?.provenTurn ?? 0);
  life = await WalLife.open(recording, { segmentBytes });
  for (const { promise, records } of turns) await life.sync(records, promise);
  await life.mark();
  return { before, disk, writes: recording.writes };
}

function image(before: MemoryDisk, writes: readonly Write[]): MemoryDisk {
  const disk = before.copy();
  for (const { name, position, bytes } of writes) {
    const old = disk.has(name) ? disk.bytesOf(name) : new Uint8Array(0);
    const grown = new Uint8Array(Math.max(old.length, position + bytes.length));
    grown.set(old);
    grown.set(bytes, position);
    disk.put(name, grown);
  }
  return disk;
}

for (const segmentBytes of [2560, 16 * 1024]) {
  test(`killed at any byte of any write, segments of ${segmentBytes} bytes`, async () => {
    const { before, writes } = await play(segmentBytes);
    for (let count = 0; count < writes.length; count += 1) {
      const base = image(before, writes.slice(0, count));
      const { bytes, proven, name } = writes[count]!;
      const isBatch = bytes.some((byte) => byte !== 0) && name.startsWith("log-");
      const step = !isBatch ? 512 : count > writes.length - 5 ? 1 : 127;
      for (let cut = 0; cut <= bytes.length; cut += step) {
        const torn = image(base, [{ ...writes[count]!, bytes: bytes.slice(0, cut) }]);
        const life = await WalLife.open(torn, { segmentBytes });
        const least = LogState.of(turns.slice(0, proven));
        // A sector is written whole or not at all: then there is no doubt. Within one there is, and it is said.
        if (cut % 512 === 0) await checkPrefix(life, turns, proven);
        else await checkDamaged(life, least, LogState.of(turns.slice(0, proven + 1)));
      }
    }
  });
}

test("a kill within a sector is judged once: the next life shows the same, and goes on", async () => {
  const segmentBytes = 16 * 1024;
  const { before, writes } = await play(segmentBytes);
  const last = writes.at(-2)!;
  assert.equal(last.proven, turns.length - 1);
  const base = image(before, writes.slice(0, -2));
  for (let cut = 1; cut < last.bytes.length; cut += 13) {
    const torn = image(base, [{ ...last, bytes: last.bytes.slice(0, cut) }]);
    const life = await WalLife.open(torn, { segmentBytes });
    const shown = describeRecovered(life.recovered);
    torn.crash();
    const second = await WalLife.open(torn, { segmentBytes });
    assert.deepEqual(describeRecovered(second.recovered), shown);
    await second.sync([vote(9, 20, "healed"), vote(10, 20, "healed"), vote(11, 20, "healed")], 20);
    torn.crash();
    const { recovered } = await WalLife.open(torn, { segmentBytes });
    const healed = recovered.accepted.filter(({ ballot }) => ballot === 20);
    assert.deepEqual(
      healed.map(({ slot }) => slot),
      [9, 10, 11],
    );
    assert.ok(recovered.faulty.every(({ from, to }) => to < 9 || from > 11));
  }
});

async function damagedEverywhere(
  disk: MemoryDisk,
  damage: (bytes: Uint8Array, at: number) => void,
  step: number,
): Promise<void> {
  const truth = LogState.of(turns);
  for (const name of (await disk.list()).filter((one) => one.startsWith("log-"))) {
    const end = disk.bytesOf(name).findLastIndex((byte) => byte !== 0) + 1;
    for (let at = 0; at < end; at += step) {
      const copy = disk.copy();
      damage(copy.bytesOf(name), at);
      const life = await WalLife.open(copy, { segmentBytes: 2560 });
      await checkDamaged(life, truth);
      // It is told again, no matter what the new life added.
      await life.sync([vote(20, 30, "later")], 30);
      copy.crash();
      await checkDamaged(
        await WalLife.open(copy, { segmentBytes: 2560 }),
        truth,
        LogState.of([...turns, { promise: 30, records: [vote(20, 30, "later")] }]),
      );
    }
  }
}

test("a flipped bit anywhere in the log is never silence and never a lie", async () => {
  const { disk } = await play(2560);
  await damagedEverywhere(disk, (bytes, at) => (bytes[at]! ^= 1 << (at % 8)), 11);
});

test("a lost sector of a batch that was followed by another is never taken for a torn end", async () => {
  const { disk } = await play(2560);
  await damagedEverywhere(disk, (bytes, at) => bytes.fill(0, at, at + 512), 512);
});

test("two sectors of rubbish anywhere are never silence and never a lie", async () => {
  const { disk } = await play(2560);
  await damagedEverywhere(disk, (bytes, at) => bytes.fill(0xd7, at, at + 1024), 512);
});

test("a damaged value makes its slot faulty, at its ballot, and no other", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 5, "first"), vote(2, 5, "second"), vote(3, 5, "third")], 5);
  await life.mark();
  overwrite(disk, "second", "sEcond");
  const { recovered } = await WalLife.open(disk);
  assert.deepEqual(describeRecovered(recovered), {
    promised: 5,
    chosenUpTo: 0,
    accepted: ["1@5=first", "3@5=third"],
    learned: [],
    faulty: ["2-2@5"],
  });
});

test("a value damaged while the log is open ends what is read, and is counted", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  const records: LogRecord[] = [vote(1, 5, "first"), vote(2, 5, "second"), vote(3, 5, "third"), chosen(3)];
  await life.sync(records, 5);
  overwrite(disk, "second", "sEcond");
  const entries = await life.wal.readChosen(1, 1000);
  assert.deepEqual(
    entries.map(({ slot }) => slot),
    [1],
  );
  assert.equal(life.wal.damagedReads, 1);
  assert.deepEqual(await life.wal.readChosen(2, 1000), []);
});

/** Replaces text in the first segment that has it. */
function overwrite(disk: MemoryDisk, from: string, to: string): void {
  for (const name of ["log-0000000001", "log-0000000002"]) {
    const bytes = disk.bytesOf(name);
    const at = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(from);
    if (at < 0) continue;
    bytes.set(text(to), at);
    return;
  }
  assert.fail(`${from} is in no segment`);
}

test("copies of the promise damaged each way: one is enough, none is refused", async () => {
  const disk = new MemoryDisk();
  const life = await WalLife.open(disk);
  await life.sync([vote(1, 5, "a")], 5);
  await life.sync([], 77);
  for (const [damaged, other] of [
    ["promise-a", "promise-b"],
    ["promise-b", "promise-a"],
  ] as const) {
    for (const damage of ["flip", "short", "gone"] as const) {
      const copy = disk.copy();
      if (damage === "flip") copy.bytesOf(damaged)[13]! ^= 4;
      if (damage === "short") copy.put(damaged, copy.bytesOf(damaged).slice(0, 100));
      if (damage === "gone") await copy.remove(damaged);
      assert.equal((await WalLife.open(copy)).recovered.promised, 77);
      // It was rewritten: now the other one may go.
      copy.bytesOf(other)[13]! ^= 4;
      assert.equal((await WalLife.open(copy)).recovered.promised, 77);
    }
  }
  for (const name of ["promise-a", "promise-b"]) disk.bytesOf(name)[13]! ^= 4;
  const { writes } = disk;
  await assert.rejects(WalLife.open(disk), /cannot be read.*id must be replaced/);
  assert.equal(disk.writes, writes);
});
