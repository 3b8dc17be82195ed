// What is asked of a core that is at work, one thing after the other: leadership moves on request and at an orderly
// stop without an outage (F25), no reset of connections and no restart moves it (F31, F33), a crash moves it soon.
import type { Random } from "../base/random.js";
import type { HealedCore } from "./healed-core.js";
import type { Host } from "./host.js";
import { cutPartly } from "./partial-cuts.js";

/** T, and twice T, by a clock that is slow by a fifth. */
const T_MS = 625;
/** Neither a transfer nor a closed connection waits for an election timeout. */
const AT_ONCE_MS = 250;
/** The others hear nothing: the first stands within 2 T, and may need a second attempt. */
const SILENT_MS = 3 * T_MS;
const RESET_MS = 300;

/** What a leader does last before it dies. */
const LAST_ACTS = ["promise", "promise", "accept", "heartbeat", "transfer"] as const;

/** In so many runs links are cut as well: it takes longest. */
const CUT_CHANCE = 0.5;

export async function probe(core: HealedCore, random: Random): Promise<void> {
  const steps = [transfer, resetConnections, orderlyStop, crash];
  if (random.next() < CUT_CHANCE) steps.push(partialCut);
  for (const step of steps) if (!core.isOver) await step(core, random);
}

function begin({ world }: HealedCore, what: string): void {
  world.reach(`probe ${what}`);
  world.tell(0, `probe: ${what}`);
}

async function partialCut(core: HealedCore, random: Random): Promise<void> {
  await cutPartly(core, random);
  await levelAgain(core, "links that are back");
}

function othersThan(core: HealedCore, host: Host): Host[] {
  return core.hosts.filter((other) => other !== host);
}

function isQuorum(core: HealedCore, hosts: readonly Host[]): boolean {
  return hosts.length >= core.world.ghost.memberships.first.phase1;
}

/** F25: on request, also of one replica, within less than T; what is asked meanwhile is done as soon. */
async function transfer(core: HealedCore, random: Random): Promise<void> {
  const { world } = core;
  const leader = core.leader!;
  const others = othersThan(core, leader);
  const to = random.next() < 0.3 ? 0 : others[random.below(others.length)]!.id;
  begin(core, "transfer");
  let told = "no answer";
  core.follow(leader, leader.replica!.transferLeadership(to), (error) => {
    told = error;
  });
  if (!(await core.mustDo(core.hosts, AT_ONCE_MS, `transfer to ${to}`))) return;
  const isMoved = () => told === "" && core.leader !== null && core.leader !== leader;
  const end = world.queue.now + AT_ONCE_MS;
  if (!(await core.demand(end, isMoved, () => `transfer to ${to}: ${told}; ${core.levels}`))) return;
  if (to !== 0 && core.leader!.id !== to) core.fail(`transfer to ${to}: ${core.leader!.id} leads`);
  await levelAgain(core, "transfer");
}

/** F31: connections that are had again at once change no leader. */
async function resetConnections(core: HealedCore): Promise<void> {
  const { world, ids } = core;
  const ballot = core.leader!.core!.ballot;
  begin(core, "connections reset");
  for (const a of ids) for (const b of ids) if (a < b) world.network.blink(a, b);
  if (!(await core.mustDo(core.hosts, T_MS, "connections reset"))) return;
  await core.until(world.queue.now + RESET_MS, () => false);
  await keeps(core, ballot, "connections that are had again at once");
}

/** Hands over before it goes; when it is back, it leaves the leader alone (F33). */
async function orderlyStop(core: HealedCore): Promise<void> {
  const { world } = core;
  const leader = core.leader!;
  const others = othersThan(core, leader);
  begin(core, "orderly stop of the leader");
  leader.close(() => {});
  if (isQuorum(core, others)) {
    if (!(await core.mustDo(others, AT_ONCE_MS, "orderly stop"))) return;
  }
  const end = world.queue.now + 2 * T_MS;
  if (
    !(await core.demand(
      end,
      () => !leader.isUp,
      () => `replica ${leader.id} does not stop`,
    ))
  )
    return;
  const ballot = others[0]!.core!.ballot;
  leader.start();
  if (!(await levelAgain(core, "restart"))) return;
  await core.until(world.queue.now + RESET_MS, () => false);
  if (isQuorum(core, others)) await keeps(core, ballot, "a restart");
}

/** Killed, or cut off without a word, or with a last word; the others go on, and it comes back. */
async function crash(core: HealedCore, random: Random): Promise<void> {
  const { world } = core;
  const leader = core.leader!;
  const others = othersThan(core, leader);
  if (!isQuorum(core, others)) {
    leader.kill();
    await core.until(world.queue.now + 50, () => false);
    leader.start();
    await levelAgain(core, "crash and restart of the leader");
    return;
  }
  const chance = random.next();
  if (chance < 0.25) await silence(core, leader, others);
  else if (chance < 0.7) await lastAct(core, leader, others, LAST_ACTS[random.below(LAST_ACTS.length)]!);
  else await kill(core, leader, others);
  if (core.isOver) return;
  const ballot = others[0]!.core!.ballot;
  if (!leader.isUp) leader.start();
  if (!(await levelAgain(core, "return of the leader"))) return;
  await core.until(world.queue.now + RESET_MS, () => false);
  await keeps(core, ballot, "the return of a former leader");
}

async function kill(core: HealedCore, leader: Host, others: readonly Host[]): Promise<void> {
  begin(core, "crash of the leader");
  leader.kill();
  await core.mustDo(others, AT_ONCE_MS, "crash of the leader");
}

async function silence(core: HealedCore, leader: Host, others: readonly Host[]): Promise<void> {
  const { network } = core.world;
  begin(core, "silence of the leader");
  const wires = others.flatMap(({ id }) => [network.wire(leader.id, id), network.wire(id, leader.id)]);
  for (const wire of wires) wire.blocked = true;
  await core.mustDo(others, SILENT_MS, "silence of the leader");
  for (const wire of wires) wire.blocked = false;
  network.changed();
}

/** It has just executed what the others have only accepted, hands over, and dies with its next message of a kind. */
async function lastAct(core: HealedCore, leader: Host, others: readonly Host[], kind: string): Promise<void> {
  const { world } = core;
  begin(core, "death with a last word");
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
  const isDone = () => core.areClientsIdle;
  if (await core.until(world.queue.now + T_MS, isDone))
    await core.mustDo(others, 2 * T_MS, `death with a ${kind}`);
}

async function levelAgain(core: HealedCore, what: string): Promise<boolean> {
  const isDone = () => core.leader !== null && core.isLinked && core.isLevel && core.unfinished === "";
  const end = core.world.queue.now + SILENT_MS;
  return core.demand(end, isDone, () => `${what}: ${core.unfinished}; ${core.levels}`);
}

async function keeps(core: HealedCore, ballot: number, what: string): Promise<void> {
  if (core.leader?.core?.ballot !== ballot) core.fail(`${what} changes the leader: ${core.levels}`);
}
