// Links of a core at work are cut so that it stays connected, and one of it still reaches a quorum: it must commit
// again, serve at every replica that has a path to the leader (F28), and keep one leader (OmniPaxos, EuroSys 2023, 2).
import type { Random } from "../base/random.js";
import type { ReplicaId } from "../paxos/ballot.js";
import type { HealedCore } from "./healed-core.js";
import type { Host } from "./host.js";
import { GOOD_WIRE } from "./network.js";

/** T, by a clock that is slow by a fifth. */
const T_MS = 625;
/** 2.6: something is chosen again within 4 T. */
const COMMIT_MS = 4 * T_MS;
/** What was handed to a leader that is gone is handed over again T later. */
const SERVE_MS = COMMIT_MS + 2 * T_MS;
const KEPT_MS = 1000;
const SHAPES = ["quorum-loss", "constrained", "chained", "random", "random"] as const;

/** Pairs that keep their link, lower id first, and who is left without any. */
interface Shape {
  readonly name: string;
  readonly links: readonly (readonly [ReplicaId, ReplicaId])[];
  readonly cutOff: readonly ReplicaId[];
}

export async function cutPartly(core: HealedCore, random: Random): Promise<void> {
  const { world } = core;
  if (!core.isSound) return;
  const leader = core.leader!;
  const shape = drawShape(core, leader.id, random);
  const isTold = random.next() < 0.5;
  const shown = shape.links.map(([a, b]) => `${a}-${b}`).join(" ");
  world.reach(`cut ${shape.name}`);
  world.tell(
    0,
    `${leader.id} leads; links cut, ${shape.name}, ${isTold ? "closed" : "silent"}; left: ${shown}`,
  );
  cut(core, shape, isTold);
  await serves(core, shape);
  mend(core);
  await core.levelAgain("links that are back", 3 * T_MS);
}

function drawShape(core: HealedCore, leader: ReplicaId, random: Random): Shape {
  const name = SHAPES[random.below(SHAPES.length)]!;
  const all = core.hosts.map(({ id }) => id);
  const others = all.filter((id) => id !== leader);
  const hub = others[random.below(others.length)]!;
  const { phase1 } = core.world.ghost.memberships.first;
  switch (name) {
    case "quorum-loss":
      return { name, links: star(hub, all), cutOff: [] };
    case "constrained": {
      const cutOff = others.length >= phase1 ? [leader] : [];
      return { name, links: star(hub, cutOff.length > 0 ? others : all), cutOff };
    }
    case "chained": {
      const last = others.filter((id) => id !== hub);
      const row = [leader, hub, ...last];
      return { name, links: row.slice(1).map((id, at) => pair(row[at]!, id)), cutOff: [] };
    }
    case "random":
      return { name, links: connected(all, phase1, random), cutOff: [] };
  }
}

function pair(a: ReplicaId, b: ReplicaId): readonly [ReplicaId, ReplicaId] {
  return a < b ? [a, b] : [b, a];
}

function star(hub: ReplicaId, ids: readonly ReplicaId[]): (readonly [ReplicaId, ReplicaId])[] {
  return ids.filter((id) => id !== hub).map((id) => pair(hub, id));
}

/** A random connected graph in which one has links to a quorum, itself counted. */
function connected(
  ids: readonly ReplicaId[],
  phase1: number,
  random: Random,
): (readonly [ReplicaId, ReplicaId])[] {
  for (;;) {
    const links = ids.flatMap((a) => ids.filter((b) => a < b && random.next() < 0.5).map((b) => pair(a, b)));
    const hasQuorum = ids.some((id) => neighbours(links, id).length >= phase1 - 1);
    if (hasQuorum && reachable(links, ids[0]!).size === ids.length) return links;
  }
}

function neighbours(links: Shape["links"], id: ReplicaId): ReplicaId[] {
  return links.filter((link) => link.includes(id)).map(([a, b]) => (a === id ? b : a));
}

/** Who has a path to `from`. */
function reachable(links: Shape["links"], from: ReplicaId): Set<ReplicaId> {
  const found = new Set([from]);
  for (const id of found) for (const next of neighbours(links, id)) found.add(next);
  return found;
}

function cut({ world, ids }: HealedCore, { links }: Shape, isTold: boolean): void {
  const { network } = world;
  for (const a of ids) {
    for (const b of ids) {
      if (a >= b || links.some(([x, y]) => x === a && y === b)) continue;
      network.wire(a, b).blocked = true;
      network.wire(b, a).blocked = true;
      if (isTold) network.reset(a, b);
    }
  }
  network.changed();
}

function mend({ world, ids }: HealedCore): void {
  for (const a of ids) for (const b of ids) if (a !== b) Object.assign(world.network.wire(a, b), GOOD_WIRE);
  world.network.changed();
}

/** Replicas that are to serve: one through whom they reach the leader told them of it. */
function served(core: HealedCore, { links, cutOff }: Shape): Host[] {
  const leader = core.hosts.find((host) => !cutOff.includes(host.id) && host.core?.isLeading === true);
  if (leader === undefined) return [];
  const near = new Set([leader.id, ...neighbours(links, leader.id)]);
  return core.hosts.filter(({ id }) => near.has(id) || neighbours(links, id).some((peer) => near.has(peer)));
}

/** The first commit in time, then all that was asked, at each replica; then the leader stays. */
async function serves(core: HealedCore, shape: Shape): Promise<void> {
  const { world } = core;
  const { name } = shape;
  const begun = world.queue.now;
  const before = world.ghost.chosenPrefix;
  core.put(core.hosts.filter(({ id }) => !shape.cutOff.includes(id)));
  const hasChosen = () => world.ghost.chosenPrefix > before;
  if (!(await core.demand(begun + COMMIT_MS, hasChosen, () => `${name}: nothing is chosen; ${core.levels}`)))
    return;
  // A caller may give up before the way to the leader is found: what is asked then must be done.
  if (
    !(await core.demand(
      begun + SERVE_MS,
      () => core.areClientsIdle,
      () => `${name}: ${core.levels}`,
    ))
  )
    return;
  const hasLeader = () => served(core, shape).length > 0;
  if (!(await core.demand(begun + SERVE_MS, hasLeader, () => `${name}: no leader; ${core.levels}`))) return;
  if (!(await core.mustDo(served(core, shape), SERVE_MS, `${name}, at every replica`))) return;
  await core.until(begun + COMMIT_MS, () => false);
  if (!(await core.mustDo(served(core, shape), T_MS, `${name}, at every replica again`))) return;
  const ballots = world.ghost.ballotLife.size;
  await core.until(world.queue.now + KEPT_MS, () => false);
  if (world.ghost.ballotLife.size !== ballots) core.fail(`${name}: the leader changes again; ${core.levels}`);
}
