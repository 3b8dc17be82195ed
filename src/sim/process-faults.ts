// What goes wrong with processes: kills, power losses, crashes at the seams of a batch, pauses, clocks that drift.
import { type Fault, restartLater, type Scene, someHost, victim } from "./fault.js";
import type { Host } from "./host.js";
import { trouble } from "./network-faults.js";

/** Ends the process at the next moment that `arm` waits for. */
function atSeam(
  scene: Scene,
  arm: (host: Host, now: () => void) => void,
  disarm: (host: Host) => void,
): boolean {
  const host = victim(scene);
  if (host === null) return false;
  const isPowerLoss = scene.random.next() < 0.8;
  arm(host, () => {
    disarm(host);
    if (!host.isUp) return;
    if (isPowerLoss) host.losePower(scene.random.next() < 0.8);
    else host.kill();
    restartLater(scene, host);
  });
  scene.later(scene.duration, () => disarm(host));
  return true;
}

/** Of an installation, from when the state is there in memory. */
const INSTALLED_MS = 2;
/** Revisions that a compaction leaves, at most. */
const MOST_KEPT = 20;

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
    // What a kill leaves can be read back, and is not on disk (F10).
    name: "killed before a sync, up again, then the power fails",
    begin: (scene) => {
      const host = victim(scene);
      if (host === null) return false;
      const { random } = scene;
      const disarm = () => {
        host.disk.onSync = () => {};
      };
      host.disk.onSync = () => {
        disarm();
        if (!host.isUp) return;
        host.kill();
        restartLater({ ...scene, duration: 50 * random.next() }, host);
        scene.later(60 + 300 * random.next(), () => {
          if (host.isUp) host.losePower(random.next() < 0.3);
          restartLater(scene, host);
        });
      };
      scene.later(scene.duration, disarm);
      return true;
    },
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
      host?.close(() => restartLater(scene, host));
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
      if (host !== null && scene.random.next() < 0.3) {
        const others = world.ids.filter((id) => id !== host.id);
        trouble(
          scene,
          others.map((id) => world.network.wire(host.id, id)),
          scene.duration,
          [{ doubling: 1 }, { loss: 0.5 }, { dropKind: "transfer" }],
        );
      }
      host?.replica?.transferLeadership().then(
        () => world.reach("transfer done"),
        () => world.reach("transfer failed"),
      );
      return host !== null;
    },
  },
  {
    name: "compaction of revisions",
    begin: (scene) => {
      const host = someHost(scene, (one) => one.core?.isLeading === true);
      const { world } = scene;
      const last = world.executions.executed.at(-1)?.revision ?? 0;
      if (host === null || host.replica === null || last < 2) return false;
      // Often all but the last: what a compaction may do wrong, it does there.
      const kept = scene.random.next() < 0.5 ? 1 : Math.min(last, MOST_KEPT);
      const revision = last - scene.random.below(kept);
      const request = { revision, physical: false };
      host.replica.propose({ kind: "compact", request }).then(
        (result) => world.reach(result.kind === "compact" ? "revisions compacted" : "compaction refused"),
        () => world.reach("compaction failed"),
      );
      return true;
    },
  },
  {
    name: "crash as a snapshot is installed",
    begin: (scene) => {
      const { world, random } = scene;
      for (const host of world.hosts.values()) {
        host.onRestored = () => {
          host.onRestored = () => {};
          // The state is written, then what the log says of it: some operations of the disk.
          world.queue.after(INSTALLED_MS * random.next(), () => {
            if (!host.isUp) return;
            world.reach("crash as a snapshot is installed");
            if (random.next() < 0.5) host.losePower(random.next() < 0.8);
            else host.kill();
            restartLater(scene, host);
          });
        };
        scene.later(scene.duration, () => {
          host.onRestored = () => {};
        });
      }
      return true;
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
