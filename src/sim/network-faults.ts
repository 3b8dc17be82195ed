// What goes wrong between replicas: loss, doubling, old messages, delay, and cuts of every shape (OmniPaxos, EuroSys
// 2023, section 2, has the partial ones).
import type { ReplicaId } from "../paxos/ballot.js";
import type { MessageKind } from "../paxos/message.js";
import { type Fault, type Scene, someHost, victim } from "./fault.js";
import { GOOD_WIRE, type Wire } from "./network.js";
import { strandLeaders } from "./strand-leaders.js";

/** A fault that changes some wires for a while: `draw` says to what, for `undo` gives it back. */
function wireFault(name: string, draw: (scene: Scene) => Partial<Wire>): Fault {
  return {
    name,
    begin: (scene) => {
      const { world, random } = scene;
      const change = draw(scene);
      const all = random.next() < 0.5;
      const changed: Wire[] = [];
      for (const from of world.ids) {
        for (const to of world.ids) {
          if (from !== to && (all || random.next() < 0.4)) changed.push(world.network.wire(from, to));
        }
      }
      for (const wire of changed) Object.assign(wire, change);
      scene.later(scene.duration, () => {
        for (const wire of changed)
          for (const [key] of Object.entries(change)) restore(wire, key as keyof Wire);
      });
      return true;
    },
  };
}

function restore<Key extends keyof Wire>(wire: Wire, key: Key): void {
  wire[key] = GOOD_WIRE[key];
}

/** A fault that blocks every direction for which what `draw` gives says so, for a while. */
function cutFault(
  name: string,
  draw: (scene: Scene) => ((from: ReplicaId, to: ReplicaId) => boolean) | null,
): Fault {
  return {
    name,
    begin: (scene) => {
      const { world } = scene;
      const isCut = draw(scene);
      if (isCut === null) return false;
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
    },
  };
}

const TWICE_OR_LOST: readonly Partial<Wire>[] = [{ doubling: 1 }, { loss: 0.5 }];

/** For a while these wires change in one of some ways: so that a message that is rare comes twice or not as well. */
export function trouble(scene: Scene, wires: readonly Wire[], ms: number, ways = TWICE_OR_LOST): void {
  const change = ways[scene.random.below(ways.length)]!;
  for (const wire of wires) Object.assign(wire, change);
  scene.later(ms, () => {
    for (const wire of wires) for (const key of Object.keys(change)) restore(wire, key as keyof Wire);
  });
}

function sideOf(scene: Scene): Set<ReplicaId> {
  return new Set(scene.world.ids.filter(() => scene.random.next() < 0.5));
}

const KINDS: readonly MessageKind[] = [
  ...([
    "prepare",
    "promise",
    "accept",
    "accepted",
    "reject",
    "heartbeat",
    "heartbeatAck",
    "canvass",
  ] as const),
  ...(["canvassReply", "learn", "learned", "forward", "forwarded", "readIndex", "readIndexReply"] as const),
  "transfer",
];

/** Votes of many ballots in one slot, each of few: what a recovery must tell apart. */
const STRANDED_LEADERS: Fault = {
  name: "one leader after the other reaches one other only",
  begin: (scene) => {
    strandLeaders(scene, 8, 100 + scene.random.below(400), 0);
    return true;
  },
};

/** The others learn it from their closed connections, and elect; the old leader still takes itself for one. */
const DEPOSED_LEADER: Fault = {
  name: "leader cut off, found out at once",
  begin: (scene) => {
    const { network, ids } = scene.world;
    const leader = someHost(scene, (host) => host.core?.isLeading === true);
    if (leader === null) return false;
    const others = ids.filter((id) => id !== leader.id);
    const cut = others.flatMap((id) => [network.wire(leader.id, id), network.wire(id, leader.id)]);
    for (const wire of cut) wire.blocked = true;
    for (const other of others) network.reset(leader.id, other);
    scene.later(scene.duration, () => {
      for (const wire of cut) wire.blocked = false;
      network.changed();
      // It learns that it leads no more from rejects only.
      if (scene.random.next() < 0.3) trouble(scene, cut, 1000);
    });
    return true;
  },
};

/** The one kind of fault that asks for messages of the past. */
export const REPLAY = "replay of old messages";

export const NETWORK_FAULTS: readonly Fault[] = [
  DEPOSED_LEADER,
  STRANDED_LEADERS,
  wireFault("loss", ({ random }) => ({ loss: 0.3 * random.next() })),
  wireFault("doubling", () => ({ doubling: 0.3 })),
  wireFault(REPLAY, () => ({ replay: 0.1 })),
  wireFault("reordering", () => ({ jitter: 60 })),
  wireFault("slow links", ({ random }) => ({ delay: 5 + random.below(200) })),
  // Clogs: what is sent now comes when elections are over, after what is sent later.
  wireFault("late messages", ({ random }) => ({ delay: 300 + random.below(4000) })),
  wireFault("one kind of message dropped", ({ random }) => ({
    dropKind: KINDS[random.below(KINDS.length)]!,
  })),
  cutFault("partition", (scene) => {
    const side = sideOf(scene);
    return (from, to) => side.has(from) !== side.has(to);
  }),
  cutFault("one-way partition", (scene) => {
    const side = sideOf(scene);
    return (from, to) => side.has(from) && !side.has(to);
  }),
  cutFault("one replica cut off", (scene) => {
    const host = victim(scene);
    return host === null ? null : (from, to) => from === host.id || to === host.id;
  }),
  cutFault("only one reaches all", ({ world, random }) => {
    const hub = 1 + random.below(world.ids.length);
    return (from, to) => from !== hub && to !== hub;
  }),
  cutFault("a chain", () => (from, to) => Math.abs(from - to) !== 1),
  cutFault("random links cut", ({ world, random }) => {
    const pairs = new Set<number>();
    for (const a of world.ids)
      for (const b of world.ids) if (a < b && random.next() < 0.4) pairs.add(a * 64 + b);
    return (from, to) => pairs.has(Math.min(from, to) * 64 + Math.max(from, to));
  }),
  {
    name: "connections reset",
    begin: ({ world, random }) => {
      for (const a of world.ids)
        for (const b of world.ids) if (a < b && random.next() < 0.5) world.network.reset(a, b);
      return true;
    },
  },
];
