// What every full campaign must have reached at least once: a run in which something never happens proves nothing of
// it ("sometimes" assertions). A campaign that leaves one unreached fails.
import type { PeerMessage } from "../wire/peer-message.js";
import { ALL_FAULTS } from "./all-faults.js";

type MessageKind = Exclude<PeerMessage["kind"], "genesis">;

/** So many seeds reach everything, with a wide margin. */
export const FULL_CAMPAIGN = 300;

/** Where each kind of message arrives; a record, so that a new kind does not compile without its line. */
const ARRIVES: Readonly<Record<MessageKind, readonly ("leader" | "follower")[]>> = {
  prepare: ["leader", "follower"],
  promise: ["leader", "follower"],
  accept: ["leader", "follower"],
  accepted: ["leader", "follower"],
  reject: ["leader", "follower"],
  heartbeat: ["leader", "follower"],
  heartbeatAck: ["leader", "follower"],
  canvass: ["leader", "follower"],
  canvassReply: ["leader", "follower"],
  learn: ["leader", "follower"],
  learned: ["leader", "follower"],
  forward: ["leader", "follower"],
  forwarded: ["follower"],
  readIndex: ["leader", "follower"],
  readIndexReply: ["follower"],
  transfer: ["follower"],
  snapshotOffer: ["follower"],
  snapshotRequest: ["leader", "follower"],
  snapshotChunk: ["follower"],
};

const EVENTS = [
  "a few states rot alike",
  "a fenced replica has the state of the majority",
  "EIO of a lost sector",
  "EIO on read",
  "EIO on sync",
  "EIO on write",
  "a replica stops at an i/o error",
  "a bit flip in a promise",
  "an unreadable promise",
  "an unreadable sector of a snapshot",
  "a bit flip in a snapshot",
  "bit flips in the log",
  "client told CLOSED",
  "client told NO_SPACE",
  "client told OUTCOME_UNKNOWN",
  "client told UNAVAILABLE",
  "cut chained",
  "cut constrained",
  "cut quorum-loss",
  "cut random",
  "client told that the machine refuses",
  "crash as a snapshot is installed",
  "dropped write",
  "free slots heal",
  "handshake refused",
  "installation of a snapshot",
  "misdirected write",
  "most states rot alike",
  "one state rots",
  "probe another way to the leader",
  "probe connections reset",
  "probe crash of the leader",
  "probe damaged records",
  "probe death with a last word",
  "probe death with holes",
  "probe hidden end",
  "probe orderly stop of the leader",
  "probe restart of those that follow",
  "probe silence of the leader",
  "probe transfer",
  "probe votes under a snapshot",
  "recovery finds a watermark",
  "recovery finds faulty slots",
  "recovery finds learned values after a gap",
  "recovery finds nothing",
  "recovery finds votes",
  "revisions compacted",
  "ruined sectors of the log",
  "shadow recovery of a damaged vote",
  "shadow recovery of a whole disk",
  "shadow recovery of lost writes",
  "states rot, each in its own way",
  "told compact",
  "told diverged",
  "told divided",
  "told full",
  "told readReady",
  "told serveLog",
  "told serveSnapshot",
  "transfer done",
  "transfer failed",
  "unreadable sectors of the log",
  "votes under a snapshot",
  "wiped after it joined",
  "wiped before it joined",
];

export function reachable(): string[] {
  const kinds = Object.keys(ARRIVES) as MessageKind[];
  return [
    ...ALL_FAULTS.map(({ name }) => `fault ${name}`),
    ...kinds.flatMap((kind) => ARRIVES[kind].map((role) => `${kind} at a ${role}`)),
    ...kinds.filter((kind) => !isRare(kind)).flatMap((kind) => [`lost ${kind}`, `doubled ${kind}`]),
    ...EVENTS,
  ];
}

/** Snapshots are sent so seldom that none of their messages may be lost in 300 seeds. */
function isRare(kind: MessageKind): boolean {
  return kind.startsWith("snapshot");
}
