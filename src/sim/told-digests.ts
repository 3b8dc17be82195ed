// What replicas told of their states, and what may follow from that (15). Rule: fed by what each tells its own core, so
// that it does not matter what the others made of it.
import type { ReplicaId, Slot } from "../paxos/ballot.js";
import type { SnapshotName } from "../wire/snapshot-messages.js";
import { type Ghost, InvariantBroken } from "./ghost.js";

/** Same states (15): where no fault has made a state rot, all tell the same after the same slot. */
export function onDigest(ghost: Ghost, id: ReplicaId, slot: Slot, digest: number): void {
  const words = ghost.digests.get(slot) ?? new Map<ReplicaId, number[]>();
  if (words.size === 0) ghost.digests.set(slot, words);
  const own = words.get(id) ?? [];
  if (own.length === 0) words.set(id, own);
  if (own.at(-1) !== digest) own.push(digest);
  if (slot >= ghost.rotsFrom) return;
  for (const [other, [first]] of words) {
    if (first === digest) continue;
    throw new InvariantBroken(`sameStates: ${id} tells another state after slot ${slot} than ${other}`);
  }
}

/**
 * Who is fenced is (15, F14): only one that told another digest after that slot than a majority of the voters, which
 * told the same. So one whose state is that of the executed commands is not, but where most states have rotted alike.
 */
export function fencesTheWrong(ghost: Ghost, id: ReplicaId, slot: Slot, members: readonly ReplicaId[]): void {
  const { voters } = ghost.memberships.first;
  const words = ghost.digests.get(slot);
  const told = (member: ReplicaId): readonly number[] => words?.get(member) ?? [];
  const others = new Set(members.filter((member) => member !== id && voters.includes(member)));
  const isTheirs = (digest: number) => [...others].every((member) => told(member).includes(digest));
  const [first = id] = others;
  const theirs = told(first).filter(isTheirs);
  const differs = theirs.some((digest) => told(id).some((own) => own !== digest));
  ghost.fenced.add(id);
  ghost.sources.set(id, members);
  if (others.size > voters.length / 2 && differs) return;
  throw new InvariantBroken(
    `fencesTheWrong: ${id} is fenced after slot ${slot} for the states of ${members}; ${describe(words)}`,
  );
}

export function onOffer(ghost: Ghost, from: ReplicaId, snapshot: SnapshotName): void {
  ghost.offered.add(nameOf(from, snapshot));
}

export function onChunk(ghost: Ghost, to: ReplicaId, slot: Slot): void {
  ghost.brought.set(to, Math.max(slot, ghost.brought.get(to) ?? 0));
}

function nameOf(from: ReplicaId, { slot, bytes, sum }: SnapshotName): string {
  return `${from}: ${slot} ${bytes} ${sum}`;
}

/**
 * Who is fenced takes its state from one of that majority (15, F14), not from another that is fenced or should be:
 * from that one only frames of a snapshot that one of the majority has offered.
 */
export function asksTheWrong(
  ghost: Ghost,
  id: ReplicaId,
  asked: readonly ReplicaId[],
  wanted: SnapshotName,
): void {
  const members = ghost.sources.get(id);
  if (members === undefined || asked.every((peer) => members.includes(peer))) return;
  if (members.some((member) => ghost.offered.has(nameOf(member, wanted)))) return;
  throw new InvariantBroken(
    `asksTheWrong: ${id}, fenced for the states of ${members}, asks ${asked} for its`,
  );
}

/** States are called different (15) only where two different digests were told. */
export function callsDivided(ghost: Ghost, id: ReplicaId, slot: Slot): void {
  if (slot === 0 || new Set([...(ghost.digests.get(slot)?.values() ?? [])].flat()).size > 1) return;
  throw new InvariantBroken(`callsDivided: ${id} finds states after slot ${slot} that differ`);
}

function describe(words: ReadonlyMap<ReplicaId, readonly number[]> | undefined): string {
  const told = [...(words ?? [])].map(([id, digests]) => `${id} told ${digests.join(", then ")}`);
  return told.length === 0 ? "nobody told any" : told.join("; ");
}

/** By the last word of each: the slots of which anything was told, newest first, with how many say the same. */
function campsOf(words: ReadonlyMap<ReplicaId, readonly number[]>): number[] {
  const camps = new Map<number, number>();
  for (const digests of words.values()) {
    const last = digests.at(-1)!;
    camps.set(last, (camps.get(last) ?? 0) + 1);
  }
  return [...camps.values()];
}

/** Whether all of `ids` have told the same of one slot from `from` on. */
export function areSame(ghost: Ghost, ids: readonly ReplicaId[], from: Slot): boolean {
  for (const [slot, words] of ghost.digests) {
    const said = ids.map((id) => words.get(id)?.at(-1));
    if (slot >= from && said.every((digest) => digest !== undefined && digest === said[0])) return true;
  }
  return false;
}

/** The newest slot after which states differ, when no majority of the voters told the same of it; 0: there is none. */
export function dividedAfter(ghost: Ghost): Slot {
  const { voters } = ghost.memberships.first;
  for (const slot of [...ghost.digests.keys()].sort((a, b) => b - a)) {
    const camps = campsOf(ghost.digests.get(slot)!);
    if (camps.some((size) => size > voters.length / 2)) return 0;
    if (camps.length > 1) return slot;
  }
  return 0;
}
