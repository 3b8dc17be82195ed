// A replica has no link to the leader and is served through another (F28). That one dies: a third is asked soon, for a
// canvass that is refused is repeated after a short wait (F33); and restarts of those between change no leader.
import type { Random } from "../base/random.js";
import type { HealedCore } from "./healed-core.js";
import type { Host } from "./host.js";
import { GOOD_WIRE } from "./network.js";

/** T, by a clock that is slow by a fifth. */
const T_MS = 625;
/** A refused canvass is repeated within T/4, a read that got lost as well. */
const FOUND_MS = T_MS / 2 + 40;
/** Less than T by a clock that is fast by a fifth: the leader hears of its quorum again in time. */
const DIAL_MS = 200;

/**
 * All that follow the leader start anew, and take long to connect to it, while one that does not hear it stands again
 * and again: as long as they may not know of a leader, they elect none (F33).
 */
async function restartAll(core: HealedCore, leader: Host, others: readonly Host[]): Promise<void> {
  const { world } = core;
  core.begin("restart of those that follow");
  const ballot = leader.core!.ballot;
  const wires = others.map(({ id }) => world.network.wire(id, leader.id));
  for (const wire of wires) wire.dial = DIAL_MS;
  for (const host of others) {
    host.kill();
    host.start();
  }
  await core.until(world.queue.now + T_MS, () => !core.isKept(ballot, leader));
  for (const wire of wires) wire.dial = GOOD_WIRE.dial;
  if (!core.isKept(ballot, leader)) {
    core.fail(`restarts of its followers depose the leader: ${core.levels}`);
  }
}

export async function anotherWay(core: HealedCore, random: Random): Promise<void> {
  const { world } = core;
  const leader = core.leader!;
  const others = core.othersThan(leader);
  const far = others.splice(random.below(others.length), 1)[0]!;
  // The leader must keep its quorum when one of those between is gone.
  if (!core.isQuorum(others)) return;
  const via = () => far.core?.paxos.state.election.via ?? 0;
  core.begin("another way to the leader");
  const wires = [world.network.wire(leader.id, far.id), world.network.wire(far.id, leader.id)];
  for (const wire of wires) wire.blocked = true;
  world.network.reset(leader.id, far.id, true);
  await core.demand(
    world.queue.now + T_MS,
    () => via() !== 0,
    () => `replica ${far.id} has no link to the leader, and finds no way`,
  );
  if (await core.mustDo([far], T_MS, `operations of replica ${far.id} through another`)) {
    await restartAll(core, leader, others);
  }
  if (!core.isOver) await core.until(world.queue.now + T_MS * random.next(), () => false);
  const keepsWay = () =>
    core.demand(
      world.queue.now + FOUND_MS,
      () => via() !== 0,
      () => `replica ${far.id} has lost its way to the leader, and finds no other`,
    );
  if (!core.isOver && (await keepsWay())) {
    const between = world.host(via());
    world.tell(0, `replica ${between.id}, the way of ${far.id}, is killed`);
    between.kill();
    await core.until(world.queue.now + 5, () => via() !== between.id);
    await core.mustDo([far], FOUND_MS, `replica ${far.id} needs another way than ${between.id}`);
    between.start();
  }
  for (const wire of wires) wire.blocked = false;
  world.network.changed();
  await core.levelAgain("a link that is back", 3 * T_MS);
}
