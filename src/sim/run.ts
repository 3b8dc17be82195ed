// One seeded run: a cluster forms, faults and clients work on it, then a core of it heals while the other faults stay,
// and it must make progress; at the end all of it must agree. Source: the two modes of "Paxos Made Live", section 6.
import { Random } from "../base/random.js";
import { Client, type Recorded } from "./client.js";
import { Disturbance } from "./disturbance.js";
import { form } from "./forming.js";
import { InvariantBroken } from "./ghost.js";
import { HealedCore } from "./healed-core.js";
import { drawHealing, heal } from "./healing.js";
import { checkHistory } from "./history/check.js";
import { formInVain } from "./lost-forming.js";
import { REPLAY } from "./network-faults.js";
import { probe } from "./probes.js";
import { demandProgress, isLeftAlone } from "./progress.js";
import { Requests } from "./requests.js";
import type { OperationLine, Schedule } from "./schedule.js";
import { settleStates } from "./settle-states.js";
import { witnessOf } from "./witness.js";
import { type TraceSink, World } from "./world.js";

export interface RunOptions {
  readonly schedule: Schedule;
  /** The operations after those of the schedule, for a run that comes to them; none, unless given. */
  readonly later?: () => readonly OperationLine[];
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

/** A run counts when it has at least one operation in so many virtual milliseconds, 600 a minute, and such faults. */
const MS_AN_OPERATION = 100;
const MS_A_FAULT = 6000;
const LEAST_KINDS = 3;
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

  constructor({ schedule, later, drain, trace }: RunOptions) {
    this.schedule = schedule;
    const { seed, replicas } = schedule;
    const keepsPast = schedule.faults.some(({ fault }) => fault === REPLAY);
    this.world = new World({ seed, replicas, keepsPast, drain, ...(trace === undefined ? {} : { trace }) });
    this.random = new Random(schedule.healing ?? 0);
    const clients = schedule.operations.reduce((most, { client }) => Math.max(most, client), replicas);
    this.clients = Array.from({ length: clients }, (_, i) => {
      return new Client({ world: this.world, id: i + 1, history: this.history });
    });
    this.requests = new Requests("healed", this.random, KEYS);
    this.disturbance = new Disturbance(this.world, schedule, this.clients, later);
  }

  async form(): Promise<void> {
    await formInVain(this.world);
    if (this.world.violation !== null) return;
    const isFormed = await form(this.world);
    if (this.world.violation === null && !isFormed) this.#fail("the cluster does not form");
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
    const { world, random, disturbance } = this;
    world.rot.calm();
    const healing = drawHealing(world, random);
    if (healing.outside === "none") disturbance.endAll();
    disturbance.forget();
    heal(world, random, healing);
    this.healedAt = world.queue.now;
    const core = new HealedCore(world, healing.core, this.clients, this.history, this.requests);
    await settleStates(core);
    this.recoveryMs = core.isOver ? 0 : await demandProgress(core, healing);
    if (!core.isOver && isLeftAlone(healing)) await probe(core, random);
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
  run.world.checkAll();
  if (run.world.violation === null) run.checkHistory();
  return run.result;
}
