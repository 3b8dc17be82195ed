// What goes wrong with states: those of some replicas, or of most, rot, alike or each in its own way (F14).
import type { ReplicaId } from "../paxos/ballot.js";
import type { Fault, Scene } from "./fault.js";

const REDRAWS = 8;
const ALIKE = 0.7;

/**
 * Who rots, and how; null: nobody may. Without a majority of the same state nobody knows whose is right, by design: so
 * a majority of replicas whose disks no fault may ruin is left the same, the sound ones or those that have rotted.
 */
function draw({ world, random, damageable }: Scene): ReadonlyMap<ReplicaId, number> | null {
  const { ids } = world;
  const isSafe = (id: ReplicaId) => !world.host(id).isLost && !damageable.includes(id);
  for (let i = 0; i < REDRAWS; i += 1) {
    const sound = [...ids];
    const rotten: ReplicaId[] = [];
    for (let left = 1 + random.below(ids.length - 1); left > 0; left -= 1) {
      rotten.push(...sound.splice(random.below(sound.length), 1));
    }
    const areAlike = random.next() < ALIKE;
    const camps = areAlike ? [sound, rotten] : [sound];
    if (!camps.some((camp) => camp.filter(isSafe).length > ids.length / 2)) continue;
    const isMost = rotten.length > ids.length / 2;
    if (rotten.length === 1) world.reach("one state rots");
    else if (!areAlike) world.reach("states rot, each in its own way");
    else world.reach(isMost ? "most states rot alike" : "a few states rot alike");
    world.tell(0, `the states of ${rotten.join(", ")} rot${areAlike ? " alike" : ""}`);
    return new Map(rotten.map((id, at) => [id, areAlike ? 1 : at + 1]));
  }
  return null;
}

export const ROT_FAULTS: readonly Fault[] = [
  {
    name: "states rot",
    begin: (scene) => {
      const { rot, ids } = scene.world;
      const living = ids.filter((id) => !scene.world.host(id).isLost);
      const times = rot.isOver(living) ? draw(scene) : null;
      if (times !== null) rot.strike(times);
      return times !== null;
    },
  },
];
