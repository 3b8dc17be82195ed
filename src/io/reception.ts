// What comes in over the links: hellos are let in or refused in words for both sides, frames go to the peer that
// they concern, messages to the owner. Bad bytes: counted, the link closed, the fault told, and on it goes.
import { unreachable } from "../base/assert.js";
import type { ReplicaId } from "../paxos/ballot.js";
import type { Identity, NetworkHandlers } from "../replica/ports.js";
import { Admission } from "../wire/admission.js";
import { FRAME_KINDS } from "../wire/frame.js";
import {
  decodeHello,
  decodeRefusal,
  decodeSighting,
  encodeBare,
  encodeSighting,
  type Hello,
  PROTOCOL_VERSION,
} from "../wire/handshake.js";
import { decodeMessage } from "../wire/message-codec.js";
import { FaultLog } from "./fault-log.js";
import type { Link } from "./link.js";
import type { Peer } from "./peer.js";

/** Counted up by the network, shown by whoever owns it. */
export interface NetworkCounters {
  /** Frames with a wrong checksum, length, kind or content. */
  badFrames: number;
  /** Messages that did not fit the queue of a peer. */
  droppedMessages: number;
  /** Hellos refused here. */
  refusedHellos: number;
}

export class Reception {
  readonly faults: FaultLog;
  readonly #self: ReplicaId;
  readonly #handlers: NetworkHandlers;
  readonly #admission: Admission;
  readonly #peers: ReadonlyMap<ReplicaId, Peer>;
  readonly #counters: NetworkCounters;

  constructor(
    identity: Identity,
    handlers: NetworkHandlers,
    peers: ReadonlyMap<ReplicaId, Peer>,
    counters: NetworkCounters,
  ) {
    this.faults = new FaultLog((fault) => handlers.onFault(fault));
    this.#self = identity.replica;
    this.#handlers = handlers;
    this.#admission = new Admission(
      identity,
      (replica) => replica === identity.replica || peers.has(replica),
    );
    this.#peers = peers;
    this.#counters = counters;
  }

  peerOf(link: Link): Peer | undefined {
    return this.#peers.get(link.hello?.replica ?? link.dialled);
  }

  onBadFrame(link: Link, what: string): void {
    this.#counters.badFrames += 1;
    const id = link.hello?.replica ?? link.dialled;
    const text =
      link.hello === null
        ? `what is at ${link.address} does not speak Synod's peer protocol (${what}): use peer addresses between replicas, client addresses for clients`
        : `replica ${id} (${link.address}) sent a ${what}: the connection is closed; if it repeats, check the network and the versions of both`;
    this.faults.tell(id, text);
    link.fail("EBADFRAME");
  }

  onPayload(link: Link, payload: Uint8Array): void {
    const kind = payload[0];
    const peer = this.peerOf(link);
    if (kind === FRAME_KINDS.refusal && peer !== undefined) {
      this.faults.tell(link.hello?.replica ?? link.dialled, decodeRefusal(payload));
      link.drop();
      peer.onRefusal(link);
    } else if (link.hello === null) this.#onHello(link, payload);
    else if (peer === undefined) link.drop();
    else if (peer.link !== link) {
      if (kind === FRAME_KINDS.goodbye) link.fail("");
      else if (!peer.onHandshakeFrame(link, payload)) this.onBadFrame(link, "frame out of place");
    } else if (kind === FRAME_KINDS.message) this.#onMessage(link, peer.id, payload);
    else if (kind === FRAME_KINDS.sighting) this.#onSighting(link, payload);
    else if (kind === FRAME_KINDS.goodbye) {
      link.drop();
      peer.onGoodbye(link);
    } else if (kind === FRAME_KINDS.ping) link.tell(encodeBare(FRAME_KINDS.pong));
    else if (kind !== FRAME_KINDS.take && kind !== FRAME_KINDS.pong)
      this.onBadFrame(link, "frame out of place");
    // A `take` comes late when the link that it was about has closed first: the answer was not waited for.
  }

  #onMessage(link: Link, from: ReplicaId, payload: Uint8Array): void {
    const message = decodeMessage(payload.subarray(1));
    if (message === null) this.onBadFrame(link, "malformed message");
    else this.#handlers.onMessage(from, message);
  }

  #onHello(link: Link, payload: Uint8Array): void {
    const result = decodeHello(payload);
    switch (result.kind) {
      case "stranger":
        this.onBadFrame(link, "frame that is no hello");
        break;
      case "otherVersion":
        this.#refuse(link, link.dialled, otherVersionText(this.#self, link.address, result.version));
        break;
      case "hello":
        this.#admit(link, result.hello);
        break;
      default:
        unreachable(result);
    }
  }

  #admit(link: Link, hello: Hello): void {
    const refusal = this.#admission.refusal(hello, link.dialled, link.address);
    if (refusal !== null) {
      this.#refuse(link, link.dialled === 0 ? hello.replica : link.dialled, refusal);
      return;
    }
    this.#admission.admit(hello);
    link.hello = hello;
    this.peerOf(link)?.onHello(link);
  }

  #refuse(link: Link, peer: ReplicaId, text: string): void {
    this.#counters.refusedHellos += 1;
    this.faults.tell(peer, text);
    link.refuse(text);
    if (link.dialled !== 0) this.#peers.get(link.dialled)?.onRefusal(link);
  }

  /** Tells a new link of all runs met, and all other links of the run that it brought. */
  shareSightings(peer: Identity, link: Link): void {
    for (const sighting of this.#admission.sightings()) {
      if (sighting.replica !== peer.replica) link.tell(encodeSighting(sighting));
    }
    const sighting = encodeSighting(peer);
    for (const other of this.#peers.values()) if (other.id !== peer.replica) other.link?.tell(sighting);
  }

  #onSighting(link: Link, payload: Uint8Array): void {
    const sighting = decodeSighting(payload);
    if (sighting === null) {
      this.onBadFrame(link, "malformed sighting");
      return;
    }
    const text = this.#admission.told(sighting);
    if (text === null) return;
    this.faults.tell(sighting.replica, text);
    const linked = this.#peers.get(sighting.replica);
    if (linked?.link?.hello?.diskId === sighting.diskId) linked.refuse(text);
  }
}

function otherVersionText(self: ReplicaId, address: string, version: number): string {
  return `replica ${self} refuses the one at ${address}: it speaks version ${version} of the peer protocol, not ${PROTOCOL_VERSION}: run releases on both that share a version`;
}
