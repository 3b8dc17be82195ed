// The end of a random walk: all works again but a few that never come back, and the living must make progress (2.6).
import assert from "node:assert/strict";
import type { Random } from "../../src/base/random.js";
import type { ReplicaId } from "../../src/paxos/ballot.js";
import type { Cluster } from "./cluster.js";
import type { Log } from "./walk-traffic.js";

/** A command or a read of a caller at `id`: to be executed by all, or answered, where that life goes on. */
export interface Asked {
  readonly id: ReplicaId;
  readonly incarnation: number;
  /** The command; null: a read. */
  readonly text: string | null;
  /** The number of the read. */
  readonly read: number;
}

export interface Healing {
  readonly cluster: Cluster;
  readonly random: Random;
  readonly asked: Asked[];
  readonly log: Log;
  readonly hiddenEnds: { readonly victims: ReadonlySet<ReplicaId>; readonly strikes: number };
  readonly rot: { mustFence(alive: readonly ReplicaId[], patience: number): void };
}

/** Milliseconds. */
const PATIENCE = 10_000;

/** Ends the life of `id`; any part of what its disk has not synced is found again. */
export function kill(
  { cluster, random, log }: Pick<Healing, "cluster" | "random" | "log">,
  id: ReplicaId,
): void {
  const pending = cluster.replica(id).disk.pending.length;
  const survivors = {
    turns: random.below(pending + 1),
    records: random.below(3),
    promise: random.next() < 0.5,
  };
  log(() => `crash ${id}, of ${pending} turns ${survivors.turns} survive`);
  cluster.crash(id, survivors);
}

/**
 * Within 10 s all the living are level, without a new command, and all that was asked of them is done; within as much
 * they do something new, and it stays so.
 */
export function healForGood(healing: Healing): void {
  const { cluster, random, asked, log } = healing;
  const dead = chooseDead(healing);
  const alive = cluster.ids.filter((id) => !dead.includes(id));
  log(() => `heal for good without ${dead.join(", ")}`);
  const isPowerCut = random.next() < 0.2;
  for (const id of isPowerCut ? cluster.ids : dead) {
    if (cluster.replica(id).core !== null) kill(healing, id);
  }
  for (const id of alive) if (cluster.replica(id).core === null) cluster.restart(id);
  cluster.heal();
  const isLevel = () => {
    if (cluster.leaders.length !== 1) return false;
    const [first, ...others] = alive.map((id) => cluster.replica(id).executed.length);
    return others.every((length) => length === first) && pendingOf(healing, alive).length === 0;
  };
  const levelled = cluster.run(PATIENCE, isLevel);
  assert.ok(levelled, `no progress after healing: ${evidence(healing, alive)}`);
  healing.rot.mustFence(alive, PATIENCE);
  const first = alive[0]!;
  asked.push({ ...lifeOf(cluster, first), text: "last", read: 0 });
  cluster.propose(first, "last");
  for (const id of alive) asked.push({ ...lifeOf(cluster, id), text: null, read: cluster.read(id) });
  const done = cluster.run(PATIENCE, () => pendingOf(healing, alive).length === 0);
  assert.ok(done, `nothing new is done after healing: ${evidence(healing, alive)}`);
  // A8: also where nobody is elected for it.
  const isCovering = () => alive.every((id) => !cluster.core(id).state.acceptor.isFreeFaulty);
  assert.ok(cluster.run(PATIENCE, isCovering), `free slots stay faulty: ${evidence(healing, alive)}`);
  cluster.run(1_000);
  assert.ok(isLevel(), `one leader, and all have executed as much: ${evidence(healing, alive)}`);
}

/** Those who never come back: none, or as many as leave the living a quorum of both kinds, with whole logs. */
function chooseDead({ cluster, random, hiddenEnds }: Healing): ReplicaId[] {
  const { phase1, phase2 } = cluster.memberships.first;
  let most = random.below(cluster.ids.length - Math.max(phase1, phase2) + 1);
  return cluster.ids.filter((id) => {
    if (most === 0 || random.next() < 0.5) return false;
    if (hiddenEnds.strikes > 0 && !hiddenEnds.victims.has(id)) return false;
    most -= 1;
    return true;
  });
}

function pendingOf({ cluster, asked }: Healing, alive: readonly ReplicaId[]): Asked[] {
  return asked.filter(({ id, incarnation, text, read }) => {
    if (!alive.includes(id) || cluster.replica(id).incarnation !== incarnation) return false;
    if (text === null) return !cluster.replica(id).answered.has(read);
    return alive.some((at) => !cluster.hasExecuted(at, text));
  });
}

export function lifeOf(cluster: Cluster, id: ReplicaId): Pick<Asked, "id" | "incarnation"> {
  return { id, incarnation: cluster.replica(id).incarnation };
}

function evidence(healing: Healing, alive: readonly ReplicaId[]): string {
  const { cluster } = healing;
  const states = cluster.ids.map((id) => `replica ${id}\n${cluster.replica(id).core?.describe() ?? "down"}`);
  return `${JSON.stringify(pendingOf(healing, alive))}\n${states.join("\n")}`;
}
