// The invariants of faults-and-invariants section 3, checked after every event of a test cluster.
// Each function states its invariant; it throws `InvariantBroken` with the function's name and the evidence.
import type { Ballot, ReplicaId, Slot } from "../paxos/ballot.js";
import { describeBallot, replicaOf } from "../paxos/ballot.js";
import type {
  AcceptedMessage,
  AcceptMessage,
  ChosenEntry,
  HeartbeatAckMessage,
  Message,
  PrepareMessage,
  PromiseMessage,
} from "../paxos/message.js";
import { commandsOf, isNoop, sameValue, type Value } from "../paxos/value.js";
import { describeMessage, describeValue } from "./describe-message.js";
import { type Ghost, type GhostReplica, InvariantBroken, payloadKey, putVote } from "./ghost.js";
import type { UnsyncedWrites } from "./unsynced-writes.js";

function check(condition: boolean, invariant: string, evidence: () => string): void {
  if (!condition) throw new InvariantBroken(`${invariant}: ${evidence()}`);
}

/** Agreement (9): once a value is chosen in a slot, no other is ever chosen in it. */
export function agreement(ghost: Ghost, slot: Slot, value: Value): void {
  const before = ghost.chosen.get(slot);
  check(before === undefined || sameValue(before, value), "agreement", () => {
    return `slot ${slot}: ${describeValue(before!)} was chosen, now ${describeValue(value)}`;
  });
  ghost.chosen.set(slot, value);
  while (ghost.chosen.has(ghost.chosenPrefix + 1)) ghost.chosenPrefix += 1;
}

/** Non-triviality (10): what is chosen is a no-op or was proposed by a caller. */
export function nonTriviality(ghost: Ghost, slot: Slot, value: Value): void {
  const commands = commandsOf(value);
  const known = commands.every((command) => ghost.submitted.has(payloadKey(command.payload)));
  check(isNoop(value) || (commands.length > 0 && known), "nonTriviality", () => {
    return `slot ${slot}: nobody proposed ${describeValue(value)}`;
  });
}

/** Accept guard (3): a replica votes at b only while its promise is at most b; and a vote is a promise. */
export function acceptGuard(id: ReplicaId, replica: GhostReplica, slot: Slot, ballot: Ballot): void {
  check(ballot >= replica.promised, "acceptGuard", () => {
    return `${id} voted at ${describeBallot(ballot)} in slot ${slot}, promised ${describeBallot(replica.promised)}`;
  });
}

/** Vote immutability (5): a replica never votes for two values in one slot at one ballot. */
export function voteImmutability(
  id: ReplicaId,
  replica: GhostReplica,
  slot: Slot,
  ballot: Ballot,
  value: Value,
) {
  const before = replica.votes.get(slot)?.get(ballot);
  check(before === undefined || sameValue(before, value), "voteImmutability", () => {
    return `${id} voted twice in slot ${slot} at ${describeBallot(ballot)}`;
  });
}

/** A2, F1: a slot known chosen is left as it is: no vote is written over it. */
export function chosenSlotsAreLeft(id: ReplicaId, replica: GhostReplica, slot: Slot): void {
  check(slot > replica.chosenUpTo && !replica.learned.has(slot), "chosenSlotsAreLeft", () => {
    return `${id} wrote a vote over slot ${slot}, which it knows to be chosen`;
  });
}

/** Nobody learns a value that is not chosen (9). */
export function learnsOnlyChosen(ghost: Ghost, id: ReplicaId, entry: ChosenEntry): void {
  const chosen = ghost.chosen.get(entry.slot);
  check(chosen !== undefined && sameValue(chosen, entry.value), "learnsOnlyChosen", () => {
    const what = chosen === undefined ? "nothing is chosen" : `${describeValue(chosen)} is`;
    return `${id} learned ${describeValue(entry.value)} in slot ${entry.slot}, where ${what}`;
  });
}

/** Contiguity (12): values are executed in slot order, each slot once, and its value is in the log here (L5). */
export function contiguity(id: ReplicaId, replica: GhostReplica, entry: ChosenEntry): void {
  check(entry.slot === replica.chosenUpTo + 1, "contiguity", () => {
    return `${id} executed slot ${entry.slot} after slot ${replica.chosenUpTo}`;
  });
  const learned = replica.learned.get(entry.slot);
  const votes = replica.votes.get(entry.slot);
  const shown = learned ?? votes?.get(votes.highest());
  check(shown !== undefined && sameValue(shown, entry.value), "contiguity", () => {
    return `${id} executed slot ${entry.slot}, whose value its log does not show`;
  });
}

/** Snapshots (12, 17): one is installed only of slots that are all chosen, and only above what is executed. */
export function installsOnlyChosen(ghost: Ghost, id: ReplicaId, replica: GhostReplica, upTo: Slot): void {
  check(upTo > replica.chosenUpTo && upTo <= ghost.chosenPrefix, "installsOnlyChosen", () => {
    return `${id} goes from slot ${replica.chosenUpTo} to slot ${upTo}; chosen are ${ghost.chosenPrefix}`;
  });
}

/** Persist before send (1): what a message speaks of is on disk when it leaves. */
export function persistBeforeSend(
  id: ReplicaId,
  replica: GhostReplica,
  message: PrepareMessage | PromiseMessage,
): void {
  check(replica.durablePromise >= message.ballot, "persistBeforeSend", () => {
    return `${id} sent ${describeMessage(message)} with ${describeBallot(replica.durablePromise)} on disk`;
  });
  if (message.kind !== "promise") return;
  for (const { slot, ballot } of message.accepted) {
    const onDisk = replica.durableVotes.get(slot)?.has(ballot) === true || replica.durableLearned.has(slot);
    check(
      onDisk,
      "persistBeforeSend",
      () => `${id} promised with a vote in slot ${slot} that is not on disk`,
    );
  }
  hiddenIsTold(id, replica, message);
}

/** A vote that damage hides is told of as faulty, until it is void on disk, or its slot has a newer record (A4, A8). */
function hiddenIsTold(id: ReplicaId, { hidden }: GhostReplica, promise: PromiseMessage): void {
  for (const [slot] of hidden) {
    if (slot < promise.from || slot > promise.to || slot <= promise.chosenUpTo) continue;
    const isTold =
      promise.accepted.some((accepted) => accepted.slot === slot) ||
      promise.faulty.some(({ from, to }) => from <= slot && slot <= to);
    check(isTold, "persistBeforeSend", () => `${id} promised over slot ${slot}, void only in memory`);
  }
}

/** Proofs true (1): when the log says that a turn is on disk, nothing that it has written waits for a sync. */
export function proofsTrue(id: ReplicaId, turn: number, disk: UnsyncedWrites): void {
  check(disk.isEmpty, "proofsTrue", () => `${id} takes turn ${turn} for durable before the sync`);
}

/** `accepted.upTo` (F20): every slot up to it is known chosen here, or accepted here at this ballot and synced. */
export function acceptedIsDurable(
  ghost: Ghost,
  id: ReplicaId,
  replica: GhostReplica,
  message: AcceptedMessage | HeartbeatAckMessage,
  upTo: Slot,
): void {
  for (let slot = replica.chosenUpTo + 1; slot <= upTo; slot += 1) {
    aboveIsDurable(ghost, id, replica, message, slot);
  }
}

/** The same of one slot: `accepted.slots` names those above a gap. */
export function aboveIsDurable(
  ghost: Ghost,
  id: ReplicaId,
  replica: GhostReplica,
  message: AcceptedMessage | HeartbeatAckMessage,
  slot: Slot,
): void {
  const held = slot <= replica.chosenUpTo || isHeld(ghost, replica, message.ballot, slot);
  check(held, "persistBeforeSend", () => `${id}: slot ${slot} in ${describeMessage(message)}`);
}

function isHeld(ghost: Ghost, replica: GhostReplica, ballot: Ballot, slot: Slot): boolean {
  const votes = replica.durableVotes.get(slot);
  if (replica.learned.has(slot) || votes?.has(ballot) === true) return true;
  // Known chosen above a gap, through a vote of its own for the chosen value: nothing new is in the log.
  const chosen = ghost.chosen.get(slot);
  return chosen !== undefined && votes !== undefined && sameValue(chosen, votes.get(votes.highest())!);
}

/** Promise monotonic (2): a promise is never lowered, in this life or the next. */
export function promiseMonotonic(
  id: ReplicaId,
  replica: Pick<GhostReplica, "promised" | "spokenPromise">,
  promised: Ballot,
): void {
  const floor = Math.max(replica.promised, replica.spokenPromise);
  check(promised >= floor, "promiseMonotonic", () => {
    return `${id} promises ${describeBallot(promised)} after ${describeBallot(floor)}`;
  });
}

/**
 * Promise truth (4): for every slot that it speaks for above its `chosenUpTo`, a promise lists exactly the vote
 * of the highest ballot below its own (or one at its own ballot, or the chosen value where that is known);
 * nothing at or below `chosenUpTo`.
 */
export function promiseTruth(
  ghost: Ghost,
  id: ReplicaId,
  replica: GhostReplica,
  promise: PromiseMessage,
): void {
  const broken = (why: string) =>
    new InvariantBroken(`promiseTruth: ${id} ${describeMessage(promise)}: ${why}`);
  const listed = new Map(promise.accepted.map((accepted) => [accepted.slot, accepted]));
  if (listed.size !== promise.accepted.length) throw broken("a slot is listed twice");
  for (const { slot, ballot, value } of promise.accepted) {
    if (slot <= promise.chosenUpTo || slot < promise.from || slot > promise.to)
      throw broken(`slot ${slot} listed`);
    const known =
      replica.learned.get(slot) ?? (slot <= replica.chosenUpTo ? ghost.chosen.get(slot) : undefined);
    const voted = replica.votes.get(slot)?.get(ballot);
    const truth = voted ?? known;
    if (truth === undefined || !sameValue(truth, value)) throw broken(`no such vote in slot ${slot}`);
  }
  const last = Math.min(promise.to, replica.topVote);
  for (let slot = Math.max(promise.from, promise.chosenUpTo + 1); slot <= last; slot += 1) {
    const votes = replica.votes.get(slot);
    const below = votes === undefined ? 0 : votes.highest(promise.ballot);
    if (below === 0) continue;
    // A learned value supersedes a vote for another one: no quorum chose anything through that vote.
    const known = replica.learned.get(slot);
    if (known !== undefined && !sameValue(known, votes!.get(below)!)) continue;
    const isFaulty = promise.faulty.some((faulty) => faulty.from <= slot && slot <= faulty.to);
    const ballot = listed.get(slot)?.ballot ?? -1;
    if (!isFaulty && ballot < below) throw broken(`the vote in slot ${slot} is missing or too old`);
  }
}

/** Ballot uniqueness (6): a ballot is used by its owner, in one life; each life goes above all before. */
export function ballotUniqueness(ghost: Ghost, id: ReplicaId, ballot: Ballot): void {
  const { incarnation } = ghost.replica(id);
  const user = ghost.ballotLife.get(ballot);
  check(replicaOf(ballot) === id && (user ?? incarnation) === incarnation, "ballotUniqueness", () => {
    return `${describeBallot(ballot)} is used by ${replicaOf(ballot)}.${user} and by ${id}.${incarnation}`;
  });
  if (user === undefined) {
    ghost.ballotLife.set(ballot, incarnation);
    const last = ghost.lastBallot.get(id) ?? 0;
    check(
      ballot > last,
      "ballotUniqueness",
      () => `${id} uses ${describeBallot(ballot)} after ${describeBallot(last)}`,
    );
    ghost.lastBallot.set(id, ballot);
  }
}

interface Report {
  /** -1: does not cover the slot. 0: nothing accepted, nothing faulty. */
  readonly ballot: Ballot;
  readonly faulty: boolean;
  readonly value: Value | null;
}

function reportOf(parts: readonly PromiseMessage[], slot: Slot): Report | null {
  for (const part of parts) {
    if (slot < part.from || slot > part.to || slot <= part.chosenUpTo) continue;
    const faulty = part.faulty.find((range) => range.from <= slot && slot <= range.to);
    if (faulty !== undefined) return { ballot: faulty.ballot, faulty: true, value: null };
    const vote = part.accepted.find((accepted) => accepted.slot === slot);
    return { ballot: vote?.ballot ?? 0, faulty: false, value: vote?.value ?? null };
  }
  return null;
}

/** What is reported of a slot, and how many report that it is empty. */
export function reportsOf(promises: ReadonlyMap<ReplicaId, readonly PromiseMessage[]>, slot: Slot) {
  const reports: Report[] = [];
  for (const parts of promises.values()) {
    const report = reportOf(parts, slot);
    if (report !== null) reports.push(report);
  }
  return { reports, none: reports.filter((report) => report.ballot === 0 && !report.faulty).length };
}

/**
 * P2c (7): what is first proposed at b in a slot has behind it a phase-1 quorum of promises for b that cover the
 * slot, and is the value of the highest ballot among them, or they report none; or it is known to be chosen.
 */
export function p2c(ghost: Ghost, slot: Slot, ballot: Ballot, value: Value): void {
  const chosen = ghost.chosen.get(slot);
  if (chosen !== undefined && sameValue(chosen, value)) return;
  const { reports, none } = reportsOf(ghost.promises.get(ballot) ?? new Map(), slot);
  const { phase1 } = ghost.memberships.first;
  let highest = -1;
  for (const report of reports) {
    if (report.value !== null && sameValue(report.value, value)) highest = Math.max(highest, report.ballot);
  }
  const covering = reports.filter(
    (report) => report.ballot <= highest && !(report.faulty && report.ballot === 0),
  );
  check(none >= phase1 || (highest > 0 && covering.length >= phase1), "p2c", () => {
    const all = reports
      .map((report) => `${describeBallot(report.ballot)}${report.faulty ? " faulty" : ""}`)
      .join(", ");
    return `${describeValue(value)} in slot ${slot} at ${describeBallot(ballot)} with reports ${all || "none"}`;
  });
}

/** One value per ballot and slot (6), P2c on first use, P5, and L2's ground on what is at or below the watermark. */
export function proposals(ghost: Ghost, id: ReplicaId, message: AcceptMessage): void {
  for (const [at, value] of message.values.entries()) {
    const slot = message.firstSlot + at;
    const before = ghost.proposed.get(slot)?.get(message.ballot);
    check(before === undefined || sameValue(before, value), "ballotUniqueness", () => {
      return `two values in slot ${slot} at ${describeBallot(message.ballot)}`;
    });
    if (before !== undefined) continue;
    p2c(ghost, slot, message.ballot, value);
    check(ghost.memberships.mayPropose(slot, ghost.replica(id).chosenUpTo), "P5", () => {
      return `${id} proposes in slot ${slot} and knows up to ${ghost.replica(id).chosenUpTo}`;
    });
    putVote(ghost.proposed, slot, message.ballot, value);
    if (slot <= (ghost.toldUpTo.get(message.ballot) ?? 0)) toldIsProposed(ghost, message.ballot, slot);
  }
}

/** Watermarks true (9): what is told chosen is chosen, and known here, but where a message is `passedOn`. */
export function watermarksTrue(
  ghost: Ghost,
  id: ReplicaId,
  message: Message & { readonly chosenUpTo: Slot },
  isPassedOn: boolean,
): void {
  const { chosenUpTo } = message;
  const known = isPassedOn ? ghost.chosenPrefix : ghost.replica(id).chosenUpTo;
  check(chosenUpTo <= known && chosenUpTo <= ghost.chosenPrefix, "watermarksTrue", () => {
    return `${id} ${describeMessage(message)}, known here up to ${ghost.replica(id).chosenUpTo}`;
  });
}

/** Watermarks true (L2): the leader of the ballot told with a watermark proposed nothing else at it up to there. */
export function watermarkOfBallot(
  ghost: Ghost,
  { ballot, chosenUpTo }: { readonly ballot: Ballot; readonly chosenUpTo: Slot },
): void {
  const checkedUpTo = ghost.toldUpTo.get(ballot) ?? 0;
  for (let slot = checkedUpTo + 1; slot <= chosenUpTo; slot += 1) toldIsProposed(ghost, ballot, slot);
  if (chosenUpTo > checkedUpTo) ghost.toldUpTo.set(ballot, chosenUpTo);
}

/** Watermarks true, slot by slot: what was proposed at a ballot in a slot told chosen at it is the chosen value. */
function toldIsProposed(ghost: Ghost, ballot: Ballot, slot: Slot): void {
  const own = ghost.proposed.get(slot)?.get(ballot);
  check(own === undefined || sameValue(own, ghost.chosen.get(slot)!), "watermarksTrue", () => {
    return `slot ${slot} is told chosen at ${describeBallot(ballot)}, where another value is proposed`;
  });
}

/** Watermarks true, in the log: what is written as chosen is chosen. */
export function watermarkRecord(ghost: Ghost, id: ReplicaId, upTo: Slot): void {
  check(upTo <= ghost.chosenPrefix, "watermarksTrue", () => `${id} writes chosen up to ${upTo}`);
}

/** Linearizable reads (19): a read is answered from a slot not below anything executed or read before it began. */
export function linearizableRead(ghost: Ghost, id: ReplicaId, read: number, slot: Slot): void {
  const key = `${id}.${ghost.replica(id).incarnation}.${read}`;
  const begun = ghost.reads.get(key);
  check(begun !== undefined, "linearizableRead", () => `${id} answers a read ${read} that nobody asked`);
  check(slot >= begun!.atLeast, "linearizableRead", () => {
    return `${id} answers a read from slot ${slot}; slot ${begun!.atLeast} was visible when it began`;
  });
}

/** One leader per ballot (8): who leads holds its own ballot as its promise. */
export function leaderHoldsBallot(id: ReplicaId, ballot: Ballot, promised: Ballot): void {
  check(replicaOf(ballot) === id && promised === ballot, "leaderHoldsBallot", () => {
    return `${id} leads ${describeBallot(ballot)} and promises ${describeBallot(promised)}`;
  });
}

/**
 * Quorum log (11): every phase-1 quorum contains one whose log shows the chosen value of a slot; where disks were
 * damaged, one log shows it. `shows` says it of one replica. Checked after crashes, when it could break.
 */
export function quorumLog(
  ghost: Ghost,
  isDamaged: boolean,
  shows: (id: ReplicaId, slot: Slot, value: Value) => boolean,
  slots: Iterable<readonly [Slot, Value]> = ghost.chosen,
): void {
  const { voters, phase1 } = ghost.memberships.first;
  for (const [slot, value] of slots) {
    const good = voters.filter((id) => shows(id, slot, value)).length;
    check(good > (isDamaged ? 0 : voters.length - phase1), "quorumLog", () => {
      return `slot ${slot}: ${good} logs show the chosen value`;
    });
  }
}
