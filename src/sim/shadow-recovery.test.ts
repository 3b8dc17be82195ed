// Shadow recovery: whatever chance leaves of the disk under a sound log shows all that was acknowledged, and the log
// goes on as if nobody had looked; what each kind of broken log loses is found.
import assert from "node:assert/strict";
import { test } from "node:test";
import { chosen, quiet, vote, WalLife } from "../../test/support/wal-life.js";
import { Random } from "../base/random.js";
import { type Ballot, ballotOf } from "../paxos/ballot.js";
import { Memberships, majorityOf } from "../paxos/membership.js";
import type { LogRecord } from "../paxos/outbox.js";
import type { Disk } from "../wal/disk.js";
import { DataDirectory } from "../wal/identity.js";
import { MemoryDisk, type MemoryDiskOptions } from "../wal/memory-disk.js";
import { Ghost, InvariantBroken } from "./ghost.js";
import { onAppend, onDurable } from "./observe.js";
import { type CrashImage, recoverShadow, ShadowRecoveries } from "./shadow-recovery.js";

const ID = 1;
const CLUSTER = "0123456789abcdef";
const SEGMENT = 16 * 1024;
const B1 = ballotOf(1, 2);
const B2 = ballotOf(2, 3);
const IMAGES = 30;

/** A value of several sectors. */
const big = (slot: number) => `${slot} `.repeat(400);

/** A log, its disk, and a ghost that is told what the log takes and what it proves. */
class Watched {
  readonly disk: MemoryDisk;
  readonly ghost: Ghost;
  readonly life: WalLife;
  readonly #unproven: { turn: number; promise: Ballot; records: readonly LogRecord[] }[];

  private constructor(disk: MemoryDisk, ghost: Ghost, life: WalLife) {
    this.disk = disk;
    this.ghost = ghost;
    this.life = life;
    this.#unproven = [];
  }

  /** `seen`: the disk as the log has it. */
  static async open(
    options: MemoryDiskOptions = {},
    seen = (disk: MemoryDisk): Disk => disk,
  ): Promise<Watched> {
    const disk = new MemoryDisk(options);
    const ghost = new Ghost(new Memberships(majorityOf([1, 2, 3]), 64));
    const who = { clusterId: CLUSTER, replica: ID, randomHex: () => "1".repeat(32) };
    ghost.replica(ID).incarnation = (await DataDirectory.open(disk, who)).identity.incarnation;
    return new Watched(disk, ghost, await WalLife.open(seen(disk), { segmentBytes: SEGMENT }));
  }

  append(records: readonly LogRecord[], promise: Ballot = 0): void {
    for (const record of records) onAppend(this.ghost, ID, record);
    this.#unproven.push({ turn: this.life.append(records, promise), promise, records });
  }

  /** Lets happen what can, and takes for durable what the log has proven. */
  async settle(): Promise<void> {
    await quiet();
    const replica = this.ghost.replica(ID);
    while (this.#unproven.length > 0 && this.#unproven[0]!.turn <= this.life.provenTurn) {
      const { promise, records } = this.#unproven.shift()!;
      replica.durablePromise = Math.max(replica.durablePromise, promise);
      for (const record of records) onDurable(this.ghost, ID, record);
    }
  }

  image(seed: number, differing: Partial<CrashImage> = {}): CrashImage {
    const common = { id: ID, clusterId: CLUSTER, executedUpTo: 0, isVolatile: false, isDamaged: false };
    return { ...common, ...this.disk.crashImage(new Random(seed)), ...differing };
  }

  /** What is found in some images; "": nothing is wrong. */
  async found(differing: Partial<CrashImage> = {}): Promise<Set<string>> {
    const found = new Set<string>();
    for (let seed = 0; seed < IMAGES; seed += 1) {
      const what = await recoverShadow(this.ghost, this.image(seed, differing)).then(
        () => "",
        (error: Error) => {
          assert.ok(error instanceof InvariantBroken, error.stack);
          return error.message;
        },
      );
      found.add(what);
    }
    return found;
  }
}

test("of a sound log everything proven is found, at each step of its disk and whatever is lost of the rest", async () => {
  const waiting: (() => void)[] = [];
  let isSlow = false;
  const watched = await Watched.open({
    schedule: (_, __, task) => {
      if (isSlow) waiting.push(task);
      else queueMicrotask(task);
    },
  });
  isSlow = true;
  let lost = 0;
  for (let slot = 1; slot <= 20; slot += 1) {
    const ballot = slot < 10 ? B1 : B2;
    watched.append([vote(slot, ballot, big(slot)), vote(slot + 1, ballot, big(slot + 1))], ballot);
    for (let step = 0; step < 3; step += 1) {
      waiting.shift()?.();
      await watched.settle();
      for (let seed = 0; seed < 8; seed += 1) {
        const image = watched.image(seed * 100 + slot * 3 + step);
        lost += image.lost;
        await recoverShadow(watched.ghost, image);
      }
    }
  }
  const { durableVotes, topVote } = watched.ghost.replica(ID);
  assert.ok(durableVotes.size > 5 && durableVotes.size < topVote, `${durableVotes.size} of ${topVote} votes`);
  assert.ok(lost > 500, `${lost} sectors were lost`);
});

/** The disk as a log sees it that takes a sync for done which never began, where `lies` says so. */
function withoutSyncs(disk: MemoryDisk, lies: (name: string) => boolean): Disk {
  return {
    list: () => disk.list(),
    read: (name) => disk.read(name),
    open: async (name, create) => {
      const file = await disk.open(name, create);
      return {
        name,
        size: () => file.size(),
        read: (position, length) => file.read(position, length),
        write: (position, bytes, done) => file.write(position, bytes, done),
        sync: (done) => (lies(name) ? queueMicrotask(() => done(null)) : file.sync(done)),
        close: () => file.close(),
      };
    },
    rename: (from, to) => disk.rename(from, to),
    remove: (name) => disk.remove(name),
    syncDirectory: () => disk.syncDirectory(),
  };
}

/** What is found of a log that was sound for one turn, and from then on skips the syncs of some files. */
async function foundWithout(syncsOf: string, records: readonly LogRecord[]): Promise<Set<string>> {
  let isSound = true;
  const lies = (name: string) => !isSound && name.startsWith(syncsOf);
  const watched = await Watched.open({}, (disk) => withoutSyncs(disk, lies));
  watched.append([vote(1, B1, big(1))], B1);
  await watched.settle();
  isSound = false;
  watched.append(records, B2);
  await watched.settle();
  assert.equal(watched.ghost.replica(ID).durablePromise, B2, "the log has proven it");
  return watched.found();
}

test("a vote that was proven before its sync is missed", async () => {
  const votes = [vote(2, B2, big(2))];
  assert.deepEqual(await foundWithout("no file", votes), new Set([""]));
  const lost =
    "recoveredVotes: 1 has lost its vote in slot 2 at b2.3, which was durable, if its power fails now";
  assert.ok((await foundWithout("log-", votes)).has(lost));
});

test("a promise that was proven before its sync is missed", async () => {
  assert.deepEqual(await foundWithout("no file", []), new Set([""]));
  const fallen = "promiseMonotonic: 1 promises b1.2 after b2.3, if its power fails now";
  assert.deepEqual(await foundWithout("promise-", []), new Set(["", fallen]));
});

/** A sound log with two votes. */
async function sound(): Promise<Watched> {
  const watched = await Watched.open();
  watched.append([vote(1, B1, big(1)), vote(2, B1, big(2))], B1);
  await watched.settle();
  await watched.life.mark();
  assert.deepEqual(await watched.found(), new Set([""]));
  return watched;
}

test("whatever else a start would find that is not true is named", async () => {
  const spoils: readonly (readonly [RegExp, (watched: Watched) => Promise<void>])[] = [
    [
      /^promiseMonotonic: 1 promises b1\.2 after b2\.3/,
      async ({ ghost }) => {
        ghost.replica(ID).spokenPromise = B2;
      },
    ],
    [
      /^recoveredVotes: 1 finds a vote in slot 2 at b1\.2 that it never cast/,
      async ({ ghost }) => {
        ghost.replica(ID).votes.delete(2);
      },
    ],
    [
      /^learnsOnlyChosen: 1 learned .* in slot 1, where nothing is chosen/,
      async ({ life }) => life.sync([chosen(1)]),
    ],
    [
      /^livesAreCounted: 1 has life 2 after life 2/,
      async ({ ghost }) => {
        ghost.replica(ID).incarnation = 2;
      },
    ],
    [
      /^staysUp: replica 1 does not start: log-0000000001 is missing/,
      async ({ disk }) => {
        await disk.remove("log-0000000001");
        await disk.syncDirectory();
      },
    ],
  ];
  for (const [message, spoil] of spoils) {
    const watched = await sound();
    await spoil(watched);
    for (const found of await watched.found()) assert.match(found, message);
  }
});

test("what is executed must be shown as chosen by the log", async () => {
  const watched = await sound();
  watched.ghost.chosen.set(1, vote(1, B1, big(1)).value);
  watched.ghost.chosenPrefix = 1;
  watched.ghost.replica(1).chosenUpTo = 1;
  const missing =
    "executedIsShown: 1 has executed up to 1, which its log does not show (L5), if its power fails now";
  assert.deepEqual(await watched.found({ executedUpTo: 1 }), new Set([missing]));
  await watched.life.sync([chosen(1)]);
  assert.deepEqual(await watched.found({ executedUpTo: 1 }), new Set([""]));
});

test("faulty slots are right where a fault has hurt the disk, and only there", async () => {
  const watched = await sound();
  const log = watched.disk.bytesOf("log-0000000001");
  log[512 + 1024]! ^= 1;
  assert.match([...(await watched.found())].join(), /^faultyForNothing: 1 /);
  assert.deepEqual(await watched.found({ isDamaged: true }), new Set([""]));
});

test("F9: where a replica has voted again its newest vote is hurt in a shadow, and is found faulty", async () => {
  const watched = await Watched.open();
  const host = {
    isUp: true,
    core: {},
    disk: { unsynced: { isEmpty: true } },
    crashImage: () => watched.image(1),
  };
  const reached: string[] = [];
  const shadows = new ShadowRecoveries(
    {
      ghost: watched.ghost,
      hosts: new Map([[ID, host]]),
      queue: { events: 0 },
      reach: (what) => reached.push(what),
    },
    1,
  );
  const B3 = ballotOf(3, 2);
  for (const ballot of [B1, B2, B3]) {
    watched.append([vote(7, ballot, "some value")], ballot);
    await watched.settle();
    const image = shadows.due();
    // The first vote of a slot is nobody's second.
    assert.equal(image === null, ballot === B1);
    if (ballot === B2) await recoverShadow(watched.ghost, image!);
    if (ballot === B3)
      await assert.rejects(recoverShadow(watched.ghost, { ...image!, isDamaged: false }), /faultyForNothing/);
  }
  assert.equal(shadows.due(), null);
  assert.deepEqual(reached, Array(2).fill("shadow recovery of a damaged vote"));
});

/** Hosts of which one is down, one idle, one starts and one writes, and who was taken. */
function hosts(taken: number[]) {
  const kinds = [
    { isUp: false, core: null, isEmpty: false },
    { isUp: true, core: {}, isEmpty: true },
    { isUp: true, core: null, isEmpty: false },
    { isUp: true, core: {}, isEmpty: false },
  ];
  const made = kinds.map(({ isUp, core, isEmpty }, at) => {
    const crashImage = () => {
      taken.push(at);
      return { id: at } as CrashImage;
    };
    return { isUp, core, disk: { unsynced: { isEmpty } }, crashImage };
  });
  return new Map(made.map((host, at) => [at, host]));
}

test("whose writes wait for a sync is taken, those that start more often; a young run is looked at more often", () => {
  const taken: number[] = [];
  const ghost = new Ghost(new Memberships(majorityOf([1, 2, 3]), 64));
  const queue = { events: 0 };
  const shadows = new ShadowRecoveries({ ghost, hosts: hosts(taken), queue, reach: () => {} }, 1);
  const times: number[] = [];
  for (; queue.events < 1_000_000; queue.events += 10) if (shadows.due() !== null) times.push(queue.events);
  assert.deepEqual(times.slice(0, 4), [50, 100, 200, 400]);
  assert.ok(times.length > 65 && times.length < 85, `${times.length} in a million events`);
  const [starting, writing] = [2, 3].map((at) => taken.filter((one) => one === at).length);
  assert.ok(starting! > 1.5 * writing! && writing! > 10, `${starting} start, ${writing} write`);
  assert.equal(starting! + writing!, times.length);
});

test("where nothing is at stake for long, an idle one is taken", () => {
  const taken: number[] = [];
  const all = hosts(taken);
  for (const at of [2, 3]) all.delete(at);
  const ghost = new Ghost(new Memberships(majorityOf([1, 2, 3]), 64));
  const queue = { events: 0 };
  const shadows = new ShadowRecoveries({ ghost, hosts: all, queue, reach: () => {} }, 1);
  while (shadows.due() === null) queue.events += 10;
  assert.deepEqual([queue.events, taken], [2050, [1]]);
});
