// A fault: something that goes wrong for a while, and what it needs to begin and to end.
import type { Random } from "../base/random.js";
import type { ReplicaId } from "../paxos/ballot.js";
import type { Host } from "./host.js";
import type { World } from "./world.js";

/** What a fault needs: the world, its luck, and a way to end things later. */
export interface Scene {
  readonly world: World;
  readonly random: Random;
  /** How long the fault lasts, in true milliseconds. */
  readonly duration: number;
  /** Replicas whose disk may be damaged: the atlas keeps good copies on the others. */
  readonly damageable: readonly ReplicaId[];
  /** Runs when the fault ends; all of them run when faults end. */
  later(ms: number, task: () => void): void;
}

export interface Fault {
  readonly name: string;
  /** False: it cannot happen now, and nothing has. */
  begin(scene: Scene): boolean;
}

export function someHost(scene: Scene, fits: (host: Host) => boolean): Host | null {
  const hosts = [...scene.world.hosts.values()].filter(fits);
  return hosts.length === 0 ? null : hosts[scene.random.below(hosts.length)]!;
}

/** A replica that is up; the one that leads, half of the time. */
export function victim(scene: Scene): Host | null {
  const leads = someHost(scene, (host) => host.core?.isLeading === true);
  return leads !== null && scene.random.next() < 0.5 ? leads : someHost(scene, (host) => host.isUp);
}

export function restartLater(scene: Scene, host: Host): void {
  scene.later(scene.duration, () => {
    if (!host.isUp && !host.isLost) host.start();
  });
}
