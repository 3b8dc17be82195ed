// A leader at work dies: at once, without a word, with a last word, or with holes in what it sent. The others go on in
// time, and when it is back, behind all that it missed, it catches up and leaves the leader alone (2.6, F21, F24, F33).
import type { Random } from "../base/random.js";
import type { HealedCore } from "./healed-core.js";
import type { Host } from "./host.js";
import { GOOD_WIRE } from "./network.js";

/** T, by a clock that is slow by a fifth. */
const T_MS = 625;
/** A closed connection is no election timeout. */
const AT_ONCE_MS = 250;
/** The others hear nothing: the first stands within 2 T, and may need a second attempt. */
const SILENT_MS = 3 * T_MS;
const BACK_MS = 300;

/** What a leader does last before it dies. */
const LAST_WORDS = ["promise", "promise", "promise", "promise", "accept", "heartbeat", "transfer"] as const;
/** Time between two operations that are to be in slots of their own. */
const APART_MS = 0.8;

export async function crash(core: HealedCore, random: Random): Promise<void> {
  const { world } = core;
  const leader = core.leader!;
  const others = core.othersThan(leader);
  if (!core.isQuorum(others)) {
    leader.kill();
    await core.until(world.queue.now + 50, () => false);
    leader.start();
    await core.levelAgain("crash and restart of the leader", SILENT_MS);
    return;
  }
  await die(core, random, leader, others);
  if (!core.isOver && random.next() < 0.5) await handOn(core, others);
  if (core.isOver) return;
  const ballot = others[0]!.core!.ballot;
  if (!leader.isUp) leader.start();
  // Nobody asks: what it missed must come by itself (F24).
  if (!(await core.levelAgain("return of the leader", SILENT_MS))) return;
  await core.until(world.queue.now + BACK_MS, () => false);
  core.keeps(ballot, "the return of a former leader");
}

async function die(core: HealedCore, random: Random, leader: Host, others: readonly Host[]): Promise<void> {
  const chance = random.next();
  if (chance < 0.12) await kill(core, leader, others);
  else if (chance < 0.24) await silence(core, leader, others);
  else if (chance < 0.5) await holes(core, leader, others, random);
  else await lastWord(core, leader, others, LAST_WORDS[random.below(LAST_WORDS.length)]!);
}

async function kill(core: HealedCore, leader: Host, others: readonly Host[]): Promise<void> {
  core.begin("crash of the leader");
  leader.kill();
  await core.mustDo(others, AT_ONCE_MS, "crash of the leader");
}

async function silence(core: HealedCore, leader: Host, others: readonly Host[]): Promise<void> {
  const { network } = core.world;
  core.begin("silence of the leader");
  const wires = others.flatMap(({ id }) => [network.wire(leader.id, id), network.wire(id, leader.id)]);
  for (const wire of wires) wire.blocked = true;
  await core.mustDo(others, SILENT_MS, "silence of the leader");
  for (const wire of wires) wire.blocked = false;
  network.changed();
}

/** What it proposed last reached one other only, and not all of it: slots without a vote below one with (M16). */
async function holes(core: HealedCore, leader: Host, others: readonly Host[], random: Random): Promise<void> {
  const { world } = core;
  core.begin("death with holes");
  const reached = others[random.below(others.length)]!;
  const wires = others.map(({ id }) => world.network.wire(leader.id, id));
  for (const [at, wire] of wires.entries()) {
    if (others[at] === reached) wire.loss = 0.5;
    else wire.blocked = true;
  }
  await core.askApart(leader, APART_MS);
  await core.until(world.queue.now + 2, () => false);
  leader.kill();
  for (const wire of wires) Object.assign(wire, GOOD_WIRE);
  await core.mustDo(others, SILENT_MS, "death with holes");
}

/** It has just executed what the others have only accepted, hands over, and dies with its next message of a kind. */
async function lastWord(
  core: HealedCore,
  leader: Host,
  others: readonly Host[],
  kind: string,
): Promise<void> {
  const { world } = core;
  core.begin("death with a last word");
  if (!(await core.mustDo([leader], T_MS, "operations at the leader"))) return;
  world.onDelivered = (from, _to, delivered) => {
    if (from !== leader.id || delivered !== kind) return;
    world.onDelivered = () => {};
    leader.kill();
  };
  core.follow(leader, leader.replica!.transferLeadership(), () => {});
  core.ask([leader]);
  await core.until(world.queue.now + T_MS, () => !leader.isUp);
  world.onDelivered = () => {};
  leader.kill();
  await core.until(world.queue.now + T_MS, () => core.areClientsIdle);
  await core.mustDo(others, 2 * T_MS, `death with a ${kind}`);
}

/** Another leads, who has nothing to propose. */
async function handOn(core: HealedCore, others: readonly Host[]): Promise<void> {
  // Not to the dead one: by then its connections are found closed.
  await core.until(core.world.queue.now + 5, () => false);
  const leader = others.find((host) => host.core?.isLeading === true);
  if (leader === undefined) return;
  let told = "no answer";
  core.follow(leader, leader.replica!.transferLeadership(), (error) => {
    told = error;
  });
  const isMoved = () => told === "" && others.every(({ core: watch }) => watch?.leader !== leader.id);
  const end = core.world.queue.now + AT_ONCE_MS;
  await core.demand(end, isMoved, () => `transfer among the others: ${told}; ${core.levels}`);
}
