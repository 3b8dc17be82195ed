// What every Network keeps, as a suite that runs on any: over TCP and in memory alike.
import { assert } from "../base/assert.js";
import type { ReplicaId } from "../paxos/ballot.js";
import type { PeerMessage } from "../wire/peer-message.js";
import type { Identity, LinkFault, Network, NetworkHandlers } from "./ports.js";

/** Three replicas, 1 to 3, and what may happen to them. */
export interface NetworkLab {
  /** A network for one run of `replica`. */
  network(replica: ReplicaId): Network;
  /** Ends the run of `replica` as the death of its process does: without goodbye. */
  kill(replica: ReplicaId): void;
  /** Loses the connection of two replicas that can reach each other. */
  breakLink(a: ReplicaId, b: ReplicaId): void;
  cut(a: ReplicaId, b: ReplicaId): void;
  heal(a: ReplicaId, b: ReplicaId): void;
  /** Resolves when `condition` holds; rejects, with `what`, when it does not come about. */
  until(what: string, condition: () => boolean): Promise<void>;
}

export interface NetworkContractCase {
  readonly name: string;
  run(lab: NetworkLab): Promise<void>;
}

const CLUSTER = "00112233445566ff";

export function identityOf(replica: ReplicaId, changed: Partial<Identity> = {}): Identity {
  const diskId = replica.toString(16).padStart(32, "0");
  return { clusterId: CLUSTER, replica, diskId, incarnation: 1, run: replica, ...changed };
}

export function numbered(round: number): PeerMessage {
  return { kind: "canvass", round, chosenUpTo: 0 };
}

/** Writes down what a network tells. */
export class NetworkRecorder implements NetworkHandlers {
  readonly network: Network;
  /** Peers as they went up and down: `up 2`, `down 3`. */
  readonly links: string[];
  readonly identities: Identity[];
  /** `from:round` of each canvass. */
  readonly messages: string[];
  readonly faults: LinkFault[];
  /** Replicas that `onLinkUp` refuses. */
  readonly refused: Set<ReplicaId>;

  constructor(network: Network) {
    this.network = network;
    this.links = [];
    this.identities = [];
    this.messages = [];
    this.faults = [];
    this.refused = new Set();
  }

  onLinkUp(peer: Identity): boolean {
    if (this.refused.has(peer.replica)) return false;
    this.links.push(`up ${peer.replica}`);
    this.identities.push(peer);
    return true;
  }

  onLinkDown(peer: ReplicaId): void {
    this.links.push(`down ${peer}`);
  }

  onMessage(from: ReplicaId, message: PeerMessage): void {
    this.messages.push(`${from}:${message.kind === "canvass" ? message.round : message.kind}`);
  }

  onFault(fault: LinkFault): void {
    this.faults.push(fault);
  }

  count(event: string): number {
    return this.links.filter((link) => link === event).length;
  }

  /** Whether the last that was told of `peer` is that it is up. */
  isUp(peer: ReplicaId): boolean {
    return this.links.findLast((link) => link.endsWith(` ${peer}`)) === `up ${peer}`;
  }
}

export async function startRecorder(
  lab: Pick<NetworkLab, "network">,
  replica: ReplicaId,
  changed: Partial<Identity> = {},
): Promise<NetworkRecorder> {
  const recorder = new NetworkRecorder(lab.network(replica));
  await recorder.network.start(identityOf(replica, changed), recorder);
  return recorder;
}

async function startThree(lab: NetworkLab): Promise<[NetworkRecorder, NetworkRecorder, NetworkRecorder]> {
  const one = await startRecorder(lab, 1);
  const two = await startRecorder(lab, 2);
  const three = await startRecorder(lab, 3);
  await lab.until("all three are linked", () => allUp([one, two, three]));
  return [one, two, three];
}

function allUp(recorders: readonly NetworkRecorder[]): boolean {
  return recorders.every((recorder, at) =>
    recorders.every((_, other) => other === at || recorder.isUp(other + 1)),
  );
}

export const NETWORK_CONTRACT: readonly NetworkContractCase[] = [
  {
    name: "links every pair and tells each side who the other is",
    async run(lab) {
      const [one, two] = await startThree(lab);
      const { clusterId, diskId, incarnation, run } = one.identities.find(({ replica }) => replica === 2)!;
      const wanted = identityOf(2);
      assert(clusterId === wanted.clusterId && diskId === wanted.diskId, "cluster and disk are told");
      assert(incarnation === wanted.incarnation && run === wanted.run, "incarnation and run are told");
      assert(
        two.identities.some(({ replica }) => replica === 1),
        "both sides are told",
      );
    },
  },
  {
    name: "delivers to those named, in order, and to nobody else",
    async run(lab) {
      const [one, two, three] = await startThree(lab);
      for (let round = 1; round <= 1000; round += 1)
        one.network.send(round % 2 ? [2, 3] : [2], numbered(round));
      await lab.until("all arrives", () => two.messages.length === 1000 && three.messages.length === 500);
      assert(
        two.messages.every((message, at) => message === `1:${at + 1}`),
        "in the order of sending",
      );
      assert(
        three.messages.every((message, at) => message === `1:${2 * at + 1}`),
        "only what was for it",
      );
      assert(one.messages.length === 0, "nothing comes back");
    },
  },
  {
    name: "never delivers within send",
    async run(lab) {
      const [one, two] = await startThree(lab);
      one.network.send([2], numbered(1));
      assert(two.messages.length === 0, "delivery is a turn of its own");
      await lab.until("it arrives", () => two.messages.length === 1);
    },
  },
  {
    name: "tells once of a peer that is not there at the start, and links when it comes",
    async run(lab) {
      const one = await startRecorder(lab, 1);
      await lab.until("both are told absent", () => one.links.length === 2);
      assert(one.count("down 2") === 1 && one.count("down 3") === 1, "once each");
      one.network.send([2], numbered(1));
      const two = await startRecorder(lab, 2);
      await lab.until("they link", () => one.isUp(2) && two.isUp(1));
      one.network.send([2], numbered(2));
      await lab.until("a message arrives", () => two.messages.length > 0);
      assert(two.messages[0] === "1:2", "what was sent without a link is dropped, not kept");
      assert(one.count("down 2") === 1, "an outage is told once");
    },
  },
  {
    name: "an orderly close tells the peers, and nothing is delivered to the closed one",
    async run(lab) {
      const [one, two, three] = await startThree(lab);
      two.network.send([1], numbered(7));
      await two.network.close();
      await two.network.close();
      await lab.until("both hear of it", () => !one.isUp(2) && !three.isUp(2));
      const told = two.links.length;
      one.network.send([2, 3], numbered(1));
      two.network.send([1, 3], numbered(2));
      await lab.until("the others go on", () => three.messages.length === 1);
      assert(three.messages[0] === "1:1" && two.messages.length === 0, "the closed one takes no part");
      assert(two.links.length === told, "the closed one is told nothing more");
      assert(one.isUp(3) && three.isUp(1), "the others stay linked");
    },
  },
  {
    name: "the death of a replica is told once, and its next run is linked with its new incarnation",
    async run(lab) {
      const [one, , three] = await startThree(lab);
      lab.kill(2);
      await lab.until("both hear of it", () => !one.isUp(2) && !three.isUp(2));
      const again = await startRecorder(lab, 2, { incarnation: 2, run: 77 });
      await lab.until("it is back", () => one.isUp(2) && three.isUp(2) && again.isUp(1) && again.isUp(3));
      assert(one.count("down 2") === 1, "the outage is told once");
      assert(one.identities.at(-1)!.run === 77, "the new run is told");
    },
  },
  {
    name: "F31: a connection lost between replicas that can reach each other is no outage",
    async run(lab) {
      const [one, two, three] = await startThree(lab);
      const before = [one.count("up 2"), two.count("up 1")] as const;
      const down = [one.count("down 2"), two.count("down 1")] as const;
      lab.breakLink(1, 2);
      await lab.until(
        "it is linked anew",
        () => one.count("up 2") > before[0] && two.count("up 1") > before[1],
      );
      one.network.send([2], numbered(5));
      await lab.until("messages flow", () => two.messages.includes("1:5"));
      assert(one.count("down 2") === down[0] && two.count("down 1") === down[1], "no outage is told");
      assert(three.isUp(1) && three.isUp(2), "the third keeps its links");
      assert(one.isUp(2) && two.isUp(1), "both know the new link");
    },
  },
  {
    name: "a cut is told to the two that it parts, and healing links them again",
    async run(lab) {
      const [one, two, three] = await startThree(lab);
      lab.cut(1, 2);
      await lab.until("both hear of it", () => !one.isUp(2) && !two.isUp(1));
      assert(one.isUp(3) && two.isUp(3) && three.isUp(1) && three.isUp(2), "the third hears nothing");
      one.network.send([2, 3], numbered(1));
      await lab.until("the third is reached", () => three.messages.length === 1);
      lab.heal(1, 2);
      await lab.until("they link again", () => one.isUp(2) && two.isUp(1));
      one.network.send([2], numbered(2));
      await lab.until("messages flow", () => two.messages.length > 0);
      assert(two.messages[0] === "1:2", "what was sent during the cut is dropped");
    },
  },
  {
    name: "a peer that the owner refuses gets no link, and the others do",
    async run(lab) {
      const one = new NetworkRecorder(lab.network(1));
      one.refused.add(2);
      await one.network.start(identityOf(1), one);
      const two = await startRecorder(lab, 2);
      const three = await startRecorder(lab, 3);
      await lab.until("the third is linked", () => one.isUp(3) && three.isUp(1) && three.isUp(2));
      await lab.until("the refused is told absent", () => one.count("down 2") === 1 && !two.isUp(1));
      two.network.send([1, 3], numbered(1));
      three.network.send([1], numbered(2));
      await lab.until("messages flow", () => three.messages.length === 1 && one.messages.length === 1);
      assert(one.messages[0] === "3:2", "nothing of the refused is delivered");
    },
  },
  {
    name: "a replica of another cluster is refused, and both sides are told why",
    async run(lab) {
      const one = await startRecorder(lab, 1);
      const two = await startRecorder(lab, 2, { clusterId: "ffffffffffffffff" });
      await lab.until("both are told", () => one.faults.length > 0 && two.faults.length > 0);
      assert(one.faults[0]!.text.includes("cluster id"), "the fault names the cluster id");
      assert(one.count("up 2") === 0 && two.count("up 1") === 0, "no link");
    },
  },
  {
    name: "F15: a run with a lower incarnation than was seen is refused as a restored copy",
    async run(lab) {
      const one = await startRecorder(lab, 1);
      await startRecorder(lab, 2, { incarnation: 5, run: 50 });
      await lab.until("they link", () => one.isUp(2));
      lab.kill(2);
      await lab.until("it is gone", () => !one.isUp(2));
      const copy = await startRecorder(lab, 2, { incarnation: 4, run: 40 });
      await lab.until("both are told", () => one.faults.length > 0 && copy.faults.length > 0);
      assert(one.faults[0]!.text.includes("older copy"), "the fault says what it is");
      assert(copy.count("up 1") === 0 && !one.isUp(2), "no link");
    },
  },
  {
    name: "closing what was never started is no error",
    async run(lab) {
      await lab.network(1).close();
    },
  },
];
