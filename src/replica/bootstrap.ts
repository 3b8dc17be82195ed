// Forming a cluster (2.8): all first replicas meet once; each makes the same genesis durable before its first
// vote. Rule: nobody votes before it knows that every first replica holds the same genesis durably, so that a
// disk that is lost while the cluster forms can never be replaced by a new one unseen (trap F15).
import { bytesEqual, concatBytes } from "../base/bytes.js";
import type { ReplicaId } from "../paxos/ballot.js";
import {
  type ClusterConfig,
  decodeGenesis,
  encodeGenesis,
  type Genesis,
  makeGenesis,
} from "../paxos/genesis.js";

/** First byte of a genesis message: what the sender knows. */
const FORMED = 1;
/** Every first replica holds it durably, as the sender knows. */
const COMPLETE = 2;

/** What the driver must do next, in this order. */
export interface BootstrapStep {
  /** Make this durable, then call `saved`. */
  readonly save: Uint8Array | null;
  /** Tell this to every linked replica. */
  readonly tell: boolean;
  /** For the operator: why a peer is not listened to, or why this replica does not vote. */
  readonly fault: string | null;
}

const NOTHING: BootstrapStep = { save: null, tell: false, fault: null };

export class Bootstrap {
  readonly #self: ReplicaId;
  readonly #diskId: string;
  readonly #config: ClusterConfig;
  /** Disk ids of the linked replicas; a quarantined peer is not among them. */
  readonly #linked: Map<ReplicaId, string>;
  /** Peers of another disk or another genesis: what they say is not listened to. */
  readonly #quarantined: Set<ReplicaId>;
  /** Those who hold the genesis durably, this replica included. */
  readonly #confirmed: Set<ReplicaId>;
  #genesis: Genesis | null;
  #bytes: Uint8Array | null;
  /** Being made durable. */
  #saving: Uint8Array | null;
  #isComplete: boolean;
  #isFenced: boolean;

  /** `hasVoted`: the log holds votes or a promise, so the genesis was complete in an earlier life. */
  constructor(
    self: ReplicaId,
    diskId: string,
    config: ClusterConfig,
    saved: Uint8Array | null,
    hasVoted: boolean,
  ) {
    this.#self = self;
    this.#diskId = diskId;
    this.#config = config;
    this.#linked = new Map();
    this.#quarantined = new Set();
    this.#confirmed = new Set(saved === null ? [] : [self]);
    this.#genesis = saved === null ? null : decodeGenesis(saved);
    this.#bytes = this.#genesis === null ? null : saved;
    this.#saving = null;
    this.#isComplete = this.#genesis !== null && (hasVoted || config.members.length === 1);
    this.#isFenced = false;
  }

  get genesis(): Genesis | null {
    return this.#genesis;
  }

  /** Whether this replica may vote. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Whether this replica must never vote: its disk is not the one that the cluster knows. */
  get isFenced(): boolean {
    return this.#isFenced;
  }

  listensTo(peer: ReplicaId): boolean {
    return !this.#quarantined.has(peer);
  }

  /** The message for a linked replica; null: nothing to tell yet. */
  message(): Uint8Array | null {
    if (this.#bytes === null) return null;
    return concatBytes([Uint8Array.of(this.#isComplete ? COMPLETE : FORMED), this.#bytes]);
  }

  /** Called at the start, and whenever something has changed: a replica that is alone has met everyone. */
  form(): BootstrapStep {
    if (this.#genesis !== null || this.#saving !== null || this.#isFenced) return NOTHING;
    const disks = new Map([...this.#linked, [this.#self, this.#diskId]]);
    for (const { id } of this.#config.members) if (!disks.has(id)) return NOTHING;
    return this.#save(encodeGenesis(makeGenesis(this.#config, disks)));
  }

  linkUp(peer: ReplicaId, diskId: string): BootstrapStep {
    this.#quarantined.delete(peer);
    this.#linked.set(peer, diskId);
    if (this.#genesis === null) return this.form();
    const known = this.#genesis.members.find(({ id }) => id === peer);
    if (known?.diskId === diskId) return NOTHING;
    this.#quarantined.add(peer);
    this.#linked.delete(peer);
    return { ...NOTHING, fault: `replica ${peer}'s disk is new (${diskId}): its id must be replaced` };
  }

  linkDown(peer: ReplicaId): void {
    this.#linked.delete(peer);
  }

  /** A genesis message of a linked replica. */
  hear(from: ReplicaId, message: Uint8Array): BootstrapStep {
    const bytes = message.subarray(1);
    const isMine = this.#bytes !== null && bytesEqual(this.#bytes, bytes);
    const theirs = isMine ? this.#genesis : decodeGenesis(bytes);
    if (theirs === null || (message[0] !== FORMED && message[0] !== COMPLETE)) return NOTHING;
    const disk = this.#linked.get(from);
    if (disk === undefined) return NOTHING;
    const diskOf = (replica: ReplicaId) => theirs.members.find(({ id }) => id === replica)?.diskId;
    if (!this.#isComplete && diskOf(this.#self) !== this.#diskId) return this.#fence(diskOf(this.#self));
    const mine = this.#bytes ?? this.#saving;
    if (mine !== null && !bytesEqual(mine, bytes)) return this.#refuse(from, theirs);
    if (diskOf(from) !== disk) return this.#refuse(from, theirs);
    if (message[0] === COMPLETE) for (const { id } of theirs.members) this.#confirmed.add(id);
    this.#confirmed.add(from);
    if (mine === null) return this.#save(bytes.slice());
    return this.#complete(NOTHING);
  }

  /** What the last step asked to save is durable. */
  saved(): BootstrapStep {
    if (this.#saving === null) return NOTHING;
    this.#bytes = this.#saving;
    this.#saving = null;
    this.#genesis = decodeGenesis(this.#bytes);
    this.#confirmed.add(this.#self);
    for (const [peer, diskId] of this.#linked) {
      const known = this.#genesis?.members.find(({ id }) => id === peer);
      if (known?.diskId === diskId) continue;
      this.#quarantined.add(peer);
      this.#linked.delete(peer);
    }
    return this.#complete({ ...NOTHING, tell: true });
  }

  #save(bytes: Uint8Array): BootstrapStep {
    this.#saving = bytes;
    return { ...NOTHING, save: bytes };
  }

  #complete(step: BootstrapStep): BootstrapStep {
    if (this.#isComplete || this.#genesis === null) return step;
    for (const { id } of this.#genesis.members) if (!this.#confirmed.has(id)) return step;
    this.#isComplete = true;
    return { ...step, tell: true };
  }

  #fence(disk: string | undefined): BootstrapStep {
    if (this.#isFenced) return NOTHING;
    this.#isFenced = true;
    const other = disk === undefined ? "does not name it" : `names disk ${disk} for it`;
    const fault =
      `replica ${this.#self}'s disk is new (${this.#diskId}) and the cluster's genesis ${other}: ` +
      "it never votes; its id must be replaced";
    return { ...NOTHING, fault };
  }

  #refuse(from: ReplicaId, theirs: Genesis): BootstrapStep {
    if (this.#quarantined.has(from)) return NOTHING;
    this.#quarantined.add(from);
    const members = theirs.members.map(({ id, diskId }) => `${id}=${diskId}`).join(" ");
    const fault =
      `replica ${from} began with another genesis (${members}) and is not listened to: ` +
      "one of the two was started with the data of another cluster, or a disk was wiped before all had met";
    return { ...NOTHING, fault };
  }
}
