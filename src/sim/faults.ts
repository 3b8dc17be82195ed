// What can go wrong, each fault with its begin and its end. A run draws its kinds, their pace and their length from
// the seed (swarm testing: Groce et al., ISSTA 2012), so that some runs do much of one thing and none of another.
import type { Random } from "../base/random.js";
import type { ReplicaId } from "../paxos/ballot.js";
import type { Host } from "./host.js";
import type { Wire } from "./network.js";
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

function someHost(scene: Scene, fits: (host: Host) => boolean): Host | null {
  const hosts = [...scene.world.hosts.values()].filter(fits);
  return hosts.length === 0 ? null : hosts[scene.random.below(hosts.length)]!;
}

/** A replica that is up; the one that leads, half of the time. */
function victim(scene: Scene): Host | null {
  const leads = someHost(scene, (host) => host.core?.isLeading === true);
  return leads !== null && scene.random.next() < 0.5 ? leads : someHost(scene, (host) => host.isUp);
}

function restartLater(scene: Scene, host: Host): void {
  scene.later(scene.duration, () => {
    if (!host.isUp && !host.isLost) host.start();
  });
}

/** Changes some wires for a while. */
function wires(scene: Scene, change: (wire: Wire) => void, undo: (wire: Wire) => void): true {
  const { world, random } = scene;
  const all = random.next() < 0.5;
  const changed: Wire[] = [];
  for (const from of world.ids) {
    for (const to of world.ids) {
      if (from === to || (!all && random.next() < 0.6)) continue;
      changed.push(world.network.wire(from, to));
    }
  }
  for (const wire of changed) change(wire);
  scene.later(scene.duration, () => {
    for (const wire of changed) undo(wire);
  });
  return true;
}

/** Blocks every direction for which `isCut` says so, for a while. */
function cut(scene: Scene, isCut: (from: ReplicaId, to: ReplicaId) => boolean): true {
  const { world } = scene;
  const changed: Wire[] = [];
  for (const from of world.ids) {
    for (const to of world.ids) {
      if (from === to || !isCut(from, to)) continue;
      const wire = world.network.wire(from, to);
      if (!wire.blocked) changed.push(wire);
      wire.blocked = true;
    }
  }
  world.network.changed();
  scene.later(scene.duration, () => {
    for (const wire of changed) wire.blocked = false;
    world.network.changed();
  });
  return true;
}

function sides(scene: Scene): Set<ReplicaId> {
  const { world, random } = scene;
  const side = new Set<ReplicaId>();
  for (const id of world.ids) if (random.next() < 0.5) side.add(id);
  return side;
}

function damageable(scene: Scene): Host | null {
  return someHost(scene, (host) => host.isUp && scene.damageable.includes(host.id));
}

/** Ends the process at the next moment that `arm` waits for. */
function atSeam(scene: Scene, arm: (host: Host, now: () => void) => void, disarm: (host: Host) => void): boolean {
  const host = victim(scene);
  if (host === null) return false;
  const isPowerLoss = scene.random.next() < 0.7;
  arm(host, () => {
    disarm(host);
    if (!host.isUp) return;
    if (isPowerLoss) host.losePower(scene.random.next() < 0.7);
    else host.kill();
    restartLater(scene, host);
  });
  scene.later(scene.duration, () => disarm(host));
  return true;
}

export const NETWORK_FAULTS: readonly Fault[] = [
  {
    name: "loss",
    begin: (scene) => {
      const loss = 0.3 * scene.random.next();
      return wires(
        scene,
        (wire) => {
          wire.loss = loss;
        },
        (wire) => {
          wire.loss = 0;
        },
      );
    },
  },
  {
    name: "doubling",
    begin: (scene) =>
      wires(
        scene,
        (wire) => {
          wire.doubling = 0.3;
        },
        (wire) => {
          wire.doubling = 0;
        },
      ),
  },
  {
    name: "replay of old messages",
    begin: (scene) =>
      wires(
        scene,
        (wire) => {
          wire.replay = 0.1;
        },
        (wire) => {
          wire.replay = 0;
        },
      ),
  },
  {
    name: "reordering",
    begin: (scene) =>
      wires(
        scene,
        (wire) => {
          wire.jitter = 60;
        },
        (wire) => {
          wire.jitter = 0.3;
        },
      ),
  },
  {
    name: "slow links",
    begin: (scene) => {
      const delay = 5 + scene.random.below(200);
      return wires(
        scene,
        (wire) => {
          wire.delay = delay;
        },
        (wire) => {
          wire.delay = 0.2;
        },
      );
    },
  },
  {
    name: "one kind of message dropped",
    begin: (scene) => {
      const kinds = ["prepare", "promise", "accept", "accepted", "reject", "heartbeat", "heartbeatAck", "canvass"];
      const more = ["canvassReply", "learn", "learned", "forward", "forwarded", "readIndex", "readIndexReply"];
      const all = [...kinds, ...more, "transfer"];
      const kind = all[scene.random.below(all.length)]!;
      return wires(
        scene,
        (wire) => {
          wire.dropKind = kind;
        },
        (wire) => {
          wire.dropKind = "";
        },
      );
    },
  },
  {
    name: "partition",
    begin: (scene) => {
      const side = sides(scene);
      return cut(scene, (from, to) => side.has(from) !== side.has(to));
    },
  },
  {
    name: "one-way partition",
    begin: (scene) => {
      const side = sides(scene);
      return cut(scene, (from, to) => side.has(from) && !side.has(to));
    },
  },
  {
    name: "one replica cut off",
    begin: (scene) => {
      const host = victim(scene);
      return host !== null && cut(scene, (from, to) => from === host.id || to === host.id);
    },
  },
  {
    name: "only one reaches all",
    begin: (scene) => {
      const hub = scene.world.ids[scene.random.below(scene.world.ids.length)]!;
      return cut(scene, (from, to) => from !== hub && to !== hub);
    },
  },
  {
    name: "a chain",
    begin: (scene) => cut(scene, (from, to) => Math.abs(from - to) !== 1),
  },
  {
    name: "random links cut",
    begin: (scene) => {
      const pairs = new Set<number>();
      for (const a of scene.world.ids)
        for (const b of scene.world.ids) if (a < b && scene.random.next() < 0.4) pairs.add(a * 64 + b);
      return cut(scene, (from, to) => pairs.has(Math.min(from, to) * 64 + Math.max(from, to)));
    },
  },
  {
    name: "connections reset",
    begin: ({ world, random }) => {
      for (const a of world.ids)
        for (const b of world.ids) if (a < b && random.next() < 0.5) world.network.reset(a, b);
      return true;
    },
  },
];

export const PROCESS_FAULTS: readonly Fault[] = [
  {
    name: "kill",
    begin: (scene) => {
      const host = victim(scene);
      host?.kill();
      if (host !== null) restartLater(scene, host);
      return host !== null;
    },
  },
  {
    name: "power loss",
    begin: (scene) => {
      const host = victim(scene);
      host?.losePower(scene.random.next() < 0.7);
      if (host !== null) restartLater(scene, host);
      return host !== null;
    },
  },
  {
    name: "power loss of all",
    begin: (scene) => {
      for (const host of scene.world.hosts.values()) {
        if (host.isUp) host.losePower(scene.random.next() < 0.7);
        restartLater(scene, host);
      }
      return true;
    },
  },
  {
    name: "crash before a sync",
    begin: (scene) =>
      atSeam(
        scene,
        (host, now) => {
          host.disk.onSync = now;
        },
        (host) => {
          host.disk.onSync = () => {};
        },
      ),
  },
  {
    name: "crash between sync and send",
    begin: (scene) =>
      atSeam(
        scene,
        (host, now) => {
          scene.world.onDurableSend = (from) => {
            if (from === host.id) now();
          };
        },
        () => {
          scene.world.onDurableSend = () => {};
        },
      ),
  },
  {
    name: "restart loop",
    begin: (scene) => {
      const host = victim(scene);
      if (host === null) return false;
      for (let i = 0; i < 6; i += 1) {
        scene.later((i * scene.duration) / 6, () => {
          if (host.isUp && i % 2 === 0) host.kill();
          else if (host.isUp) host.losePower(true);
          if (!host.isLost) host.start();
        });
      }
      return true;
    },
  },
  {
    name: "orderly restart",
    begin: (scene) => {
      const host = victim(scene);
      host?.close();
      if (host !== null) restartLater(scene, host);
      return host !== null;
    },
  },
  {
    name: "pause",
    begin: (scene) => {
      const host = victim(scene);
      if (host === null || host.isPaused) return false;
      host.pause();
      scene.later(scene.duration, () => host.resume());
      return true;
    },
  },
  {
    name: "transfer of leadership",
    begin: (scene) => {
      const host = someHost(scene, (one) => one.core?.isLeading === true);
      const { world } = scene;
      host?.replica?.transferLeadership().then(
        () => world.reach("transfer done"),
        () => world.reach("transfer failed"),
      );
      return host !== null;
    },
  },
  {
    name: "clock drift",
    begin: (scene) => {
      const host = someHost(scene, () => true)!;
      host.clockRate = 0.8 + 0.4 * scene.random.next();
      if (host.isUp) host.kill();
      restartLater(scene, host);
      return true;
    },
  },
];

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
      void host.disk.flipBit();
      host.losePower(false);
      restartLater(scene, host);
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
      host.disk.manners.readError = 0.3;
      if (scene.random.next() < 0.5) host.kill();
      scene.later(scene.duration, () => {
        host.disk.heal();
        if (!host.isUp && !host.isLost) host.start();
      });
      return true;
    },
  },
];

export const ALL_FAULTS: readonly Fault[] = [
  ...NETWORK_FAULTS,
  ...PROCESS_FAULTS,
  ...DISK_FAULTS,
  ...DAMAGE_FAULTS,
];
