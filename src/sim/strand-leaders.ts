// Leaders that are cut off from all but one other, one after the other: what they propose is voted for by few, stays in
// doubt, and is proposed again at higher ballots.
import type { ReplicaId } from "../paxos/ballot.js";
import { restartLater, type Scene, someHost } from "./fault.js";
import type { Host } from "./host.js";
import { GOOD_WIRE } from "./network.js";

/** So many leaders, a new one every `step` milliseconds; `witness`: the one that each reaches, 0: any. */
export function strandLeaders(scene: Scene, leaders: number, step: number, witness: ReplicaId): void {
  const { random } = scene;
  for (let i = 0; i < leaders; i += 1) {
    scene.later(i * step, () => {
      const leader = someHost(scene, (host) => host.core?.isLeading === true);
      if (leader !== null) strand(scene, leader, witness, step * (0.3 + 0.6 * random.next()));
    });
  }
}

/** For `ms`, what `leader` sends reaches one other, with holes; then it is killed, or goes on as if cut off. */
function strand(scene: Scene, leader: Host, witness: ReplicaId, ms: number): void {
  const { world, random } = scene;
  const others = world.ids.filter((id) => id !== leader.id);
  const reached = others.includes(witness) ? witness : others[random.below(others.length)]!;
  const cut = others.filter((id) => id !== reached).map((id) => world.network.wire(leader.id, id));
  const last = world.network.wire(leader.id, reached);
  last.loss = 0.4;
  for (const wire of cut) wire.blocked = true;
  scene.later(ms, () => {
    last.loss = GOOD_WIRE.loss;
    for (const wire of cut) wire.blocked = false;
    world.network.changed();
    if (!leader.isUp || random.next() < 0.3) return;
    leader.kill();
    restartLater({ ...scene, duration: 4 * ms * random.next() }, leader);
  });
}
