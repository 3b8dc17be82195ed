// One seeded run: a cluster forms, faults and clients work on it, then a core of it heals while the other faults stay,
// and it must make progress; at the end all of it must agree. Source: the two modes of "Paxos Made Live", section 6.
import { Random } from "../base/random.js";
import type { ReplicaId } from "../paxos/ballot.js";
import { Client, type Recorded } from "./client.js";
import { Disturbance } from "./disturbance.js";
import { InvariantBroken } from "./ghost.js";
import { checkHistory } from "./history/check.js";
import { Requests } from "./requests.js";
import type { Schedule } from "./schedule.js";
import { witnessOf } from "./witness.js";
import { type TraceSink, World } from "./world.js";

export interface RunOptions {
  readonly schedule: Schedule;
  readonly drain: () => Promise<void>;
  readonly trace?: TraceSink;
}

export interface RunResult {
  readonly seed: number;
  /** Null: nothing broke. */
  readonly violation: string | null;
  /** Equal for equal runs. */
  readonly hash: string;
  readonly virtualMs: number;
  /** When the core healed; null: it broke before that, or nothing was to heal. */
  readonly healedAt: number | null;
  readonly events: number;
  readonly operations: number;
  /** How often each kind of fault began. */
  readonly faults: Readonly<Record<string, number>>;
  readonly reached: ReadonlyMap<string, number>;
  /** From the healing to progress, in virtual milliseconds. */
  readonly recoveryMs: number;
  readonly history: readonly Recorded[];
}

/** A healed core must be at work again after so long, in virtual milliseconds. */
const PROGRESS_MS = 10_000;
/** A run counts when it has at least one operation in so many virtual milliseconds, 600 a minute, and such faults. */
const MS_AN_OPERATION = 100;
const MS_A_FAULT = 6000;
const LEAST_KINDS = 3;
const FORMING_MS = 10_000;
const STABLE_MS = 1_000;
/** Of what a healed core is asked. */
const KEYS = 4;

class Run {
  readonly world: World;
  readonly schedule: Schedule;
  /** Of the healing, and what follows. */
  readonly random: Random;
  readonly history: Recorded[] = [];
  readonly clients: Client[];
  readonly requests: Requests;
  readonly disturbance: Disturbance;
  healedAt: number | null = null;
  recoveryMs = 0;

  constructor({ schedule, drain, trace }: RunOptions) {
    this.schedule = schedule;
    const { seed, replicas } = schedule;
    this.world = new World({ seed, replicas, drain, ...(trace === undefined ? {} : { trace }) });
    this.random = new Random(schedule.healing ?? 0);
    const clients = schedule.operations.reduce((most, { client }) => Math.max(most, client), replicas);
    this.clients = Array.from({ length: clients }, (_, i) => {
      return new Client({ world: this.world, id: i + 1, history: this.history });
    });
    this.requests = new Requests("healed", this.random, KEYS);
    this.disturbance = new Disturbance(this.world, schedule, this.clients);
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
    const { world, disturbance } = this;
    const { end, goesOn } = this.schedule;
    disturbance.start();
    await world.run(end);
    // Where replicas were down for long it takes more time until clients have asked enough.
    while (world.violation === null && !this.#isEnough() && world.queue.now < end + goesOn) {
      await world.run(world.queue.now + 1000);
    }
    disturbance.stop();
  }

  /** What makes a run count. */
  #isEnough(): boolean {
    const { history, disturbance } = this;
    const { end } = this.schedule;
    if (history.length < end / MS_AN_OPERATION) return false;
    return disturbance.begun >= end / MS_A_FAULT && disturbance.kinds >= LEAST_KINDS;
  }

  /** A core heals, everything else stays as bad as it is; then there must be progress. */
  async heal(): Promise<void> {
    const { world, random } = this;
    const sound = [...world.hosts.values()].filter((host) => !host.isDamaged && !host.isLost);
    const size =
      Math.floor(world.ids.length / 2) + 1 + random.below(sound.length - Math.floor(world.ids.length / 2));
    while (sound.length > size) sound.splice(random.below(sound.length), 1);
    const core = sound.map(({ id }) => id);
    world.tell(0, `replicas ${core.join(", ")} heal`);
    const isWhole = core.length === world.ids.length;
    if (isWhole) this.disturbance.endAll();
    else this.disturbance.forget();
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
    this.healedAt = begun;
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
        client.ask(world.host(core[i % core.length]!), this.requests.next());
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
      seed: this.schedule.seed,
      violation: world.violation === null ? null : world.violation.message,
      hash: world.hash,
      virtualMs: world.queue.now,
      healedAt: this.healedAt,
      events: world.queue.events,
      operations: this.history.length,
      faults: this.disturbance.faults,
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
  if (run.world.violation === null && options.schedule.healing !== null) await run.heal();
  if (run.world.violation === null) run.checkHistory();
  return run.result;
}
