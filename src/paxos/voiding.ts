// How slots that nobody has used yet heal where damage may hide votes in them (A8). The leader of b, whose promises
// cover every slot above `emptyAbove`, knows for good that below b nothing is chosen there; and what damage hides is of
// ballots up to the promise that this life began with. Where that promise is below b, it is void in these slots.
import { assert } from "../base/assert.js";
import { type Ballot, LAST_SLOT, type Slot } from "./ballot.js";
import type { HeartbeatMessage } from "./message.js";
import type { Outbox } from "./outbox.js";
import type { PaxosState } from "./state.js";

/** Takes the word of the leader of `ballot`, which is the own promise. */
export function voidHidden({ acceptor }: PaxosState, ballot: Ballot, emptyAbove: Slot, out: Outbox): void {
  if (!acceptor.isFreeFaulty || emptyAbove >= LAST_SLOT || ballot <= acceptor.foundPromise) return;
  assert(acceptor.promised === ballot, "the word of a leader is taken by one that follows its ballot");
  acceptor.voidAbove(emptyAbove);
  // A promise that covers these slots is made after this record, and so leaves after its sync (A7).
  out.records.push({ kind: "void", from: emptyAbove + 1, ballot });
}

/** At the heartbeat of a leader that is followed; true where only one of a higher ballot can help. */
export function voidsByHeartbeat(p: PaxosState, m: HeartbeatMessage, out: Outbox): boolean {
  const { acceptor } = p;
  if (!acceptor.isFreeFaulty) return false;
  if (m.ballot <= acceptor.foundPromise) return true;
  if (acceptor.promised < m.ballot) {
    assert(acceptor.prepare(m.ballot), "a higher ballot can be promised");
    out.promise = m.ballot;
  }
  voidHidden(p, m.ballot, m.emptyAbove, out);
  return false;
}
