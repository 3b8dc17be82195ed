// What goes wrong with disks: slowness, errors, and damage to what was written (PAR, FAST 2018, section 2).
import { damage } from "./disk-damage.js";
import { type Fault, restartLater, type Scene, someHost, victim } from "./fault.js";
import type { Host } from "./host.js";
import { strandLeaders } from "./strand-leaders.js";

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
  {
    name: "full disk",
    begin: ({ world, random, duration, later }) => {
      // Disks of equals fill at the same time (F29).
      const areAll = random.next() < 0.5;
      const hosts = [...world.hosts.values()].filter(() => areAll || random.next() < 0.4);
      for (const host of hosts) host.fill(random.below(ROOM), random.next() < 0.5);
      later(duration + LONGER, () => {
        for (const host of hosts) host.free();
      });
      return hosts.length > 0;
    },
  },
  {
    name: "wiped directory",
    begin: ({ world, random, damageable }) => {
      // The atlas: of what is chosen all others must be able to tell, and of a state that has rotted a majority.
      const isWhole = [...world.hosts.values()].every(({ isLost }) => !isLost);
      const isRoom = damageable.length === 0 && isWhole && world.rot.isOver(world.ids);
      if (!isRoom || random.next() >= WIPES) return false;
      const host = world.host(world.ids[random.below(world.ids.length)]!);
      world.tell(host.id, "its directory is emptied");
      host.wipe();
      return true;
    },
  },
];

/** Bytes that find room in a full disk, at most: some segments of the log. */
const ROOM = 200_000;
/** It takes a while to fill even the reserve. */
const LONGER = 4000;

/** Of all chances to wipe a disk: the cluster has one replica less from then on. */
const WIPES = 0.1;

/** A disk has lied: its replica is started again within so many milliseconds. */
const SHOWN_WITHIN = 1000;

/** Hurts the disk under a host whose power fails, at times along with that of all others. */
function hurt(scene: Scene, host: Host): void {
  const { world, random } = scene;
  host.losePower(false);
  const done = host.disk.hasLiedOfLate ? null : damage(host.disk.memory, random);
  if (done !== null) {
    host.isDamaged = true;
    world.reach(done);
    world.tell(host.id, done);
  }
  restartLater(scene, host);
  if (random.next() < 0.5) return;
  for (const other of world.hosts.values()) {
    if (other.isUp) other.losePower(false);
    restartLater(scene, other);
  }
}

/** Faults that damage what was written; only where the atlas lets them. */
export const DAMAGE_FAULTS: readonly Fault[] = [
  {
    name: "damage",
    begin: (scene) => {
      const host = damageable(scene);
      if (host !== null) hurt(scene, host);
      return host !== null;
    },
  },
  {
    // What was lost counts most while nobody else knows what became of it.
    name: "damage to votes in doubt",
    begin: (scene) => {
      const host = damageable(scene);
      if (host === null) return false;
      const leaders = 1 + scene.random.below(5);
      const step = 100 + scene.random.below(400);
      strandLeaders(scene, leaders, step, host.id);
      scene.later(leaders * step * (0.7 + 0.3 * scene.random.next()), () => {
        if (host.isUp) hurt(scene, host);
      });
      return true;
    },
  },
  {
    name: "misdirected or dropped writes",
    begin: (scene) => {
      const host = damageable(scene);
      if (host === null) return false;
      host.isDamaged = true;
      host.disk.manners.misdirected = 0.2;
      host.disk.manners.dropped = 0.05;
      scene.later(scene.duration, () => host.disk.heal());
      // A lie shows at a start: after some more writes, and before they reach the place that was hit.
      scene.later(scene.duration + SHOWN_WITHIN * scene.random.next(), () => {
        if (!host.isUp || host.disk.hasLiedUnseen) return;
        host.kill();
        restartLater(scene, host);
      });
      return true;
    },
  },
  {
    name: "error of a read",
    begin: (scene) => {
      const host = damageable(scene);
      if (host === null) return false;
      // Nothing is damaged: what fails is read at the next try, and nothing may count as lost.
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
