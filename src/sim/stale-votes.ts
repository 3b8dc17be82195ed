// A leader is cut off with values that only it has voted for; the others choose other ones and go on, until their logs
// have forgotten those slots. When it is back a snapshot takes their place, and its votes must be shown to nobody (F3).
import type { Random } from "../base/random.js";
import type { HealedCore } from "./healed-core.js";
import { GOOD_WIRE } from "./network.js";

/** T, by a clock that is slow by a fifth. */
const T_MS = 625;
/** Something is chosen again within 4 T, and what was handed to the old leader is handed over again. */
const SERVE_MS = 6 * T_MS;
const APART_MS = 3;
/** Five operations each, at most; a log with a longer tail forgets nothing of that. */
const ROUNDS = 16;
const LONGEST_TAIL = 8 << 10;

export async function leaveVotesBehind(core: HealedCore, random: Random): Promise<void> {
  const { world } = core;
  const leader = core.leader!;
  const others = core.othersThan(leader);
  if (!core.isQuorum(others) || world.tailBytes > LONGEST_TAIL) return;
  core.begin("votes under a snapshot");
  const wires = others.flatMap(({ id }) => [
    world.network.wire(leader.id, id),
    world.network.wire(id, leader.id),
  ]);
  for (const wire of wires) wire.blocked = true;
  const stale = world.ghost.chosenPrefix + 1;
  // Of no client: they have no part in the history, and no effect.
  for (let i = 0; i <= random.below(3); i += 1) {
    leader.replica!.propose({ kind: "compact", request: { revision: 1, physical: false } }).catch(() => {});
    await core.until(world.queue.now + 1, () => false);
  }
  await core.mustDo(others, SERVE_MS, "operations without the leader");
  const isForgotten = () => others.every(({ core: one }) => one!.paxos.state.learner.compactedUpTo >= stale);
  for (let round = 0; round < ROUNDS && !core.isOver && !isForgotten(); round += 1) {
    await core.askApart(others[round % others.length]!, APART_MS);
    await core.until(world.queue.now + T_MS, () => core.areClientsIdle);
  }
  for (const wire of wires) Object.assign(wire, GOOD_WIRE);
  world.network.changed();
  if (isForgotten()) world.reach("votes under a snapshot");
  await core.levelAgain("votes under a snapshot", 3 * T_MS);
  // Their watermark is above the snapshot.
  await core.mustDo(core.hosts, T_MS, "operations after a snapshot");
  await core.until(world.queue.now + T_MS, () => false);
}
