// One seeded run: a cluster forms, faults and clients work on it, then a core of it heals while the other faults stay,
// and it must make progress; at the end all of it must agree. Source: the two modes of "Paxos Made Live", section 6.
import { Random } from "../base/random.js";
import type { ReplicaId } from "../paxos/ballot.js";
import { Client, type Recorded } from "./client.js";
import { DAMAGE_FAULTS, DISK_FAULTS } from "./disk-faults.js";
import type { Fault, Scene } from "./fault.js";
import { InvariantBroken } from "./ghost.js";
import { checkHistory } from "./history/check.js";
import { NETWORK_FAULTS } from "./network-faults.js";
import { PROCESS_FAULTS } from "./process-faults.js";
import { witnessOf } from "./witness.js";
import { type TraceSink, World } from "./world.js";

export interface RunOptions {
  readonly seed: number;
  readonly drain: () => Promise<void>;
  readonly trace?: TraceSink;
  /** Of the phase with faults, in virtual milliseconds; 60,000. */
  readonly length?: number;
}

export interface RunResult {
  readonly seed: number;
  /** Null: nothing broke. */
  readonly violation: string | null;
  /** Equal for equal runs. */
  readonly hash: string;
  readonly virtualMs: number;
  readonly events: number;
  readonly operations: number;
  /** How often each kind of fault began. */
  readonly faults: Readonly<Record<string, number>>;
  readonly reached: ReadonlyMap<string, number>;
  /** From the healing to progress, in virtual milliseconds. */
  readonly recoveryMs: number;
  readonly history: readonly Recorded[];
}

// Swarm testing (Groce et al., ISSTA 2012): a run draws its kinds of faults, so that it does much of some.
const ALL_FAULTS: readonly Fault[] = [...NETWORK_FAULTS, ...PROCESS_FAULTS, ...DISK_FAULTS, ...DAMAGE_FAULTS];

/** A healed core must be at work again after so long, in virtual milliseconds. */
const PROGRESS_MS = 10_000;
/** A run has at least one operation in so many virtual milliseconds: 600 a minute. */
const MS_AN_OPERATION = 100;
const FORMING_MS = 10_000;
const STABLE_MS = 1_000;
const CLIENTS = 5;
/** Mean time between two operations of a client: together they ask ten times a second; in some runs more often. */
const PACE_MS = 470;
const BUSY_MS = 80;

class Run {
  readonly world: World;
  readonly random: Random;
  readonly history: Recorded[] = [];
  readonly clients: Client[];
  readonly faults: Record<string, number> = {};
  readonly options: RunOptions;
  /** What ends a fault that is under way. */
  readonly #undo: Set<() => void> = new Set();
  recoveryMs = 0;

  constructor(options: RunOptions) {
    this.options = options;
    const { seed, drain, trace } = options;
    this.world = new World({ seed, replicas: 5, drain, ...(trace === undefined ? {} : { trace }) });
    // Of its own, so that what clients and faults draw does not depend on how often the world draws.
    this.random = new Random(seed + 2 ** 32);
    const keys = 2 + this.random.below(10);
    const pace = this.random.next() < 0.1 ? BUSY_MS : PACE_MS;
    this.clients = Array.from({ length: CLIENTS }, (_, i) => {
      return new Client({
        world: this.world,
        id: i + 1,
        random: this.random,
        pace,
        keys,
        history: this.history,
      });
    });
  }

  async form(): Promise<void> {
    const { world } = this;
    for (const host of world.hosts.values()) host.start();
    const isFormed = () => [...world.hosts.values()].every(({ core }) => core !== null && core.leader !== 0);
    await world.run(FORMING_MS, isFormed);
    if (world.violation === null && !isFormed()) this.#fail("the cluster does not form");
  }

  #fail(text: string): void {
    this.world.violate(new InvariantBroken(`progress: ${text}`));
  }

  async disturb(): Promise<void> {
    const { world, random } = this;
    const length = this.options.length ?? 60_000;
    for (const client of this.clients) client.start();
    const kinds = ALL_FAULTS.filter(() => random.next() < 0.5);
    const pace = 500 + random.below(2500);
    const longest = 200 + random.below(6000);
    // The atlas: on all others there is a good copy of everything.
    const damaged = random.next() < 0.3 ? [1 + random.below(world.ids.length)] : [];
    const usable = damaged.length > 0 ? kinds : kinds.filter((fault) => !DAMAGE_FAULTS.includes(fault));
    const end = world.queue.now + length;
    if (usable.length > 0) this.#strikeLater(usable, damaged, pace, longest, end);
    await world.run(end);
    // Where replicas were down for long it takes more time until clients have asked enough.
    const isAskedEnough = () => this.history.length >= length / MS_AN_OPERATION;
    while (world.violation === null && !isAskedEnough() && world.queue.now < end + length) {
      await world.run(world.queue.now + 1000);
    }
  }

  #strikeLater(
    kinds: readonly Fault[],
    damageable: ReplicaId[],
    pace: number,
    longest: number,
    end: number,
  ): void {
    const { world, random } = this;
    world.queue.after(pace * (0.2 + 1.6 * random.next()), () => {
      if (world.queue.now > end) return;
      const fault = kinds[random.below(kinds.length)]!;
      const duration = 20 + random.next() * random.next() * longest;
      const scene: Scene = {
        world,
        random,
        duration,
        damageable,
        later: (ms, task) => this.#later(ms, task),
      };
      if (fault.begin(scene)) {
        this.faults[fault.name] = (this.faults[fault.name] ?? 0) + 1;
        world.tell(0, `${fault.name}, ${Math.round(duration)} ms`);
      }
      this.#strikeLater(kinds, damageable, pace, longest, end);
    });
  }

  #later(ms: number, task: () => void): void {
    const undo = () => {
      if (this.#undo.delete(undo)) task();
    };
    this.#undo.add(undo);
    this.world.queue.after(ms, undo);
  }

  /** A core heals, everything else stays as bad as it is; then there must be progress. */
  async heal(): Promise<void> {
    const { world, random } = this;
    for (const client of this.clients) client.stop();
    const sound = [...world.hosts.values()].filter((host) => !host.isDamaged && !host.isLost);
    const size =
      Math.floor(world.ids.length / 2) + 1 + random.below(sound.length - Math.floor(world.ids.length / 2));
    while (sound.length > size) sound.splice(random.below(sound.length), 1);
    const core = sound.map(({ id }) => id);
    world.tell(0, `replicas ${core.join(", ")} heal`);
    const isWhole = core.length === world.ids.length;
    if (isWhole) for (const undo of [...this.#undo]) undo();
    else this.#undo.clear();
    world.onDurableSend = () => {};
    for (const host of sound) {
      host.disk.heal();
      host.disk.onSync = () => {};
      host.resume();
      if (!host.isUp) host.start();
    }
    // No network drops one kind of message for ever; a leader behind such a one could never be told from a good one.
    for (const from of world.ids)
      for (const to of world.ids) if (from !== to) world.network.wire(from, to).dropKind = "";
    world.healNetwork(core);
    for (const client of this.clients) client.waitOnlyFor(sound.map(({ replica }) => replica));
    const begun = world.queue.now;
    await this.#progress(core, begun + PROGRESS_MS);
    this.recoveryMs = world.queue.now - begun;
  }

  /** One stable leader, what was under way is over, new commands are done, and the core is level. */
  async #progress(core: readonly ReplicaId[], end: number): Promise<void> {
    const { world } = this;
    let leader = 0;
    let since = world.queue.now;
    const isStable = () => {
      const leaders = new Set(core.map((id) => world.host(id).core?.leader ?? 0));
      const now = leaders.size === 1 ? [...leaders][0]! : 0;
      if (now !== leader || now === 0) {
        leader = now;
        since = world.queue.now;
      }
      return leader !== 0 && world.queue.now - since >= STABLE_MS;
    };
    await world.run(end, isStable);
    if (world.violation !== null) return;
    if (!isStable()) {
      this.#fail(`no stable leader among ${core.join(", ")} after ${PROGRESS_MS} ms`);
      return;
    }
    // Idle first: what is chosen must reach all without a new command (F24).
    await this.#level(core, end);
    if (world.violation === null) await this.#newCommands(core, end);
    if (world.violation === null) await this.#level(core, end);
    if (world.violation === null) await this.#sameHash(core, end);
  }

  async #newCommands(core: readonly ReplicaId[], end: number): Promise<void> {
    const { world } = this;
    await world.run(end, () => this.clients.every((client) => client.isIdle));
    const before = this.history.length;
    for (let round = 0; round < 4 && world.violation === null; round += 1) {
      for (const [i, client] of this.clients.entries()) {
        client.askOne(world.host(core[i % core.length]!));
      }
      await world.run(end, () => this.clients.every((client) => client.isIdle));
    }
    const undone = this.history.slice(before).filter(({ outcome }) => outcome.kind !== "ok").length;
    if (world.violation === null && undone > 0) this.#fail(`${undone} of 20 new commands are not done`);
  }

  async #level(core: readonly ReplicaId[], end: number): Promise<void> {
    const { world } = this;
    const slots = () => core.map((id) => world.host(id).replica!.status());
    const isLevel = () => {
      const [first, ...others] = slots();
      const holds = (one: { appliedUpTo: number; chosenUpTo: number }) =>
        one.appliedUpTo === first!.appliedUpTo && one.chosenUpTo === first!.chosenUpTo;
      return first!.appliedUpTo === first!.chosenUpTo && others.every(holds);
    };
    await world.run(end, isLevel);
    if (world.violation === null && !isLevel()) {
      const shown = slots().map(
        ({ id, chosenUpTo, appliedUpTo }) => `${id}: ${appliedUpTo} of ${chosenUpTo}`,
      );
      this.#fail(`the core is not level: ${shown.join(", ")}`);
    }
  }

  /** The whole logical state is the same everywhere (13). */
  async #sameHash(core: readonly ReplicaId[], end: number): Promise<void> {
    const { world } = this;
    const hashes = new Map<ReplicaId, string>();
    for (const id of core) {
      world.outstanding += 1;
      world
        .host(id)
        .replica!.read({ kind: "hash" }, { local: true })
        .then(
          (answer) => {
            world.outstanding -= 1;
            hashes.set(id, answer.kind === "hash" ? answer.hash : answer.kind);
          },
          (error: Error) => {
            world.outstanding -= 1;
            hashes.set(id, error.message);
          },
        );
    }
    await world.run(end, () => hashes.size === core.length);
    if (world.violation !== null || new Set(hashes.values()).size === 1) return;
    this.#fail(`states differ: ${[...hashes].map(([id, hash]) => `${id}: ${hash}`).join(", ")}`);
  }

  /** Every operation against the order in which commands were executed (19, 22, 23). */
  checkHistory(): void {
    const { verdict, evidence } = checkHistory(this.history, {
      witness: witnessOf(this.history, this.world.executions.executed),
    });
    if (verdict !== "linearizable")
      this.world.violate(new InvariantBroken(`history: ${verdict}: ${evidence}`));
  }

  get result(): RunResult {
    const { world } = this;
    return {
      seed: this.options.seed,
      violation: world.violation === null ? null : world.violation.message,
      hash: world.hash,
      virtualMs: world.queue.now,
      events: world.queue.events,
      operations: this.history.length,
      faults: this.faults,
      reached: world.reached,
      recoveryMs: this.recoveryMs,
      history: this.history,
    };
  }
}

export async function simulate(options: RunOptions): Promise<RunResult> {
  const run = new Run(options);
  await run.form();
  if (run.world.violation === null) await run.disturb();
  if (run.world.violation === null) await run.heal();
  if (run.world.violation === null) run.checkHistory();
  return run.result;
}
