// What goes wrong with disks: slowness, errors, and damage to what was written (PAR, FAST 2018, section 2).
import { type Fault, restartLater, type Scene, someHost, victim } from "./fault.js";
import type { Host } from "./host.js";

function damageable(scene: Scene): Host | null {
  return someHost(scene, (host) => host.isUp && scene.damageable.includes(host.id));
}

export const DISK_FAULTS: readonly Fault[] = [
  {
    name: "slow disk",
    begin: (scene) => {
      const host = victim(scene);
      if (host === null) return false;
      host.disk.manners.slowness = 5 + scene.random.below(300);
      scene.later(scene.duration, () => host.disk.heal());
      return true;
    },
  },
  {
    name: "error of a write or a sync",
    begin: (scene) => {
      const host = victim(scene);
      if (host === null) return false;
      host.disk.manners.writeError = scene.random.next() < 0.5 ? 0.2 : 0;
      host.disk.manners.syncError = 0.2;
      scene.later(scene.duration, () => {
        host.disk.heal();
        if (!host.isUp && !host.isLost) host.start();
      });
      return true;
    },
  },
];

/** Faults that damage what was written; only where the atlas lets them. */
export const DAMAGE_FAULTS: readonly Fault[] = [
  {
    name: "bit flip",
    begin: (scene) => {
      const host = damageable(scene);
      if (host === null) return false;
      host.isDamaged = true;
      host.losePower(false);
      host.disk.flipBit();
      restartLater(scene, host);
      // What it says in the next promise counts most while the others' memory is gone too.
      if (scene.random.next() < 0.5) {
        for (const other of scene.world.hosts.values()) {
          if (other.isUp) other.losePower(false);
          restartLater(scene, other);
        }
      }
      return true;
    },
  },
  {
    name: "misdirected or dropped writes",
    begin: (scene) => {
      const host = damageable(scene);
      if (host === null) return false;
      host.isDamaged = true;
      host.disk.manners.misdirected = 0.05;
      host.disk.manners.dropped = 0.05;
      scene.later(scene.duration, () => host.disk.heal());
      return true;
    },
  },
  {
    name: "error of a read",
    begin: (scene) => {
      const host = damageable(scene);
      if (host === null) return false;
      host.isDamaged = true;
      host.disk.manners.readError = 0.1;
      host.kill();
      scene.later(scene.duration / 4, () => {
        if (!host.isUp && !host.isLost) host.start();
      });
      scene.later(scene.duration, () => {
        host.disk.heal();
        if (!host.isUp && !host.isLost) host.start();
      });
      return true;
    },
  },
];
