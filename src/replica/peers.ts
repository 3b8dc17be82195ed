// The other replicas: who is linked, who is listened to, and forming the cluster before there is a core. Rule:
// a replica with another disk than the genesis names is told the genesis and never heard (2.8).
import type { ReplicaId } from "../paxos/ballot.js";
import type { Event } from "../paxos/event.js";
import type { PeerMessage } from "../wire/peer-message.js";
import { isSnapshotMessage, type SnapshotMessage } from "../wire/snapshot-messages.js";
import type { Bootstrap, BootstrapStep } from "./bootstrap.js";
import type { Clock, Identity, Network, NetworkHandlers } from "./ports.js";

export interface PeersOptions {
  readonly bootstrap: Bootstrap;
  readonly network: Network;
  readonly clock: Clock;
  readonly saveGenesis: (bytes: Uint8Array) => Promise<void>;
  /** The genesis is durable at every first replica: the core may begin. */
  onComplete(): void;
  onSnapshot(from: ReplicaId, message: SnapshotMessage): void;
  onFault(text: string): void;
  onFailed(error: Error): void;
}

export class Peers implements NetworkHandlers {
  readonly #options: PeersOptions;
  readonly #linked: Set<ReplicaId>;
  /** Peers whose link is known to be down. */
  readonly #down: Set<ReplicaId>;
  /** Takes events once there is a core. */
  #post: ((event: Event) => void) | null;
  /** Settles when no genesis is being written. */
  #saving: Promise<unknown>;
  #isStopped: boolean;
  /** Messages that came when nobody could take them. */
  ignored: number;

  constructor(options: PeersOptions) {
    this.#options = options;
    this.#linked = new Set();
    this.#down = new Set();
    this.#post = null;
    this.#saving = Promise.resolve();
    this.#isStopped = false;
    this.ignored = 0;
  }

  /** Linked replicas that are listened to. */
  get linked(): ReplicaId[] {
    return [...this.#linked].filter((peer) => this.#options.bootstrap.listensTo(peer));
  }

  /** From now on events go to the core, the present links first. */
  attach(post: (event: Event) => void): void {
    this.#post = post;
    for (const peer of this.linked) post({ kind: "linkUp", peer });
    for (const peer of this.#linked) if (!this.linked.includes(peer)) post({ kind: "linkDown", peer });
    for (const peer of this.#down) post({ kind: "linkDown", peer });
  }

  /** Forms the cluster as far as this replica alone can. */
  begin(): void {
    this.#do(this.#options.bootstrap.form());
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** After `stop`: resolves when nothing is written any more, for what is would be an identity of this life. */
  async close(): Promise<void> {
    await this.#saving;
  }

  onLinkUp(peer: Identity): boolean {
    if (this.#isStopped) return false;
    const { bootstrap, clock } = this.#options;
    const { replica } = peer;
    this.#linked.add(replica);
    this.#down.delete(replica);
    this.#do(bootstrap.linkUp(replica, peer.diskId));
    clock.soon(() => this.#tell([replica]));
    if (bootstrap.listensTo(replica)) this.#post?.({ kind: "linkUp", peer: replica });
    else this.#post?.({ kind: "linkDown", peer: replica });
    return true;
  }

  onLinkDown(peer: ReplicaId): void {
    if (this.#isStopped) return;
    this.#linked.delete(peer);
    this.#down.add(peer);
    this.#options.bootstrap.linkDown(peer);
    this.#post?.({ kind: "linkDown", peer });
  }

  onMessage(from: ReplicaId, message: PeerMessage): void {
    const { bootstrap } = this.#options;
    if (this.#isStopped || !bootstrap.listensTo(from)) {
      this.ignored += 1;
    } else if (message.kind === "genesis") {
      this.#do(bootstrap.hear(from, message.bytes));
    } else if (this.#post === null) {
      this.ignored += 1;
    } else if (isSnapshotMessage(message)) {
      this.#options.onSnapshot(from, message);
    } else {
      this.#post({ kind: "message", from, message });
    }
  }

  onFault(fault: { readonly peer: ReplicaId; readonly text: string }): void {
    this.#options.onFault(fault.text);
  }

  #do(step: BootstrapStep): void {
    const { bootstrap, saveGenesis } = this.#options;
    if (step.fault !== null) this.#options.onFault(step.fault);
    if (step.tell) this.#tell([...this.#linked]);
    if (step.save !== null) {
      this.#saving = saveGenesis(step.save).then(
        () => {
          if (!this.#isStopped) this.#do(bootstrap.saved());
        },
        (error: Error) => {
          if (!this.#isStopped) this.#options.onFailed(error);
        },
      );
    }
    if (bootstrap.isComplete && this.#post === null) this.#options.onComplete();
  }

  #tell(to: readonly ReplicaId[]): void {
    const bytes = this.#options.bootstrap.message();
    if (bytes !== null && to.length > 0 && !this.#isStopped)
      this.#options.network.send(to, { kind: "genesis", bytes });
  }
}
