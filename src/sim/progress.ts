// What a healed core must do, in this order: agree on a leader, finish what was under way, be level without a new
// command (F24), do new commands and reads, agree on the state, keep its leader and be quiet while nobody asks.
import type { KvAnswer } from "../kv/commands.js";
import type { ReplicaId } from "../paxos/ballot.js";
import type { HealedCore } from "./healed-core.js";
import type { Healing } from "./healing.js";

/** All of it must be done after so long, in virtual milliseconds. */
const PROGRESS_MS = 10_000;
/**
 * A core that is sound and left alone needs less: an election takes at most 2 T from when the last leader was heard,
 * with slow clocks 2.5 T; one that fails is repeated within T; what callers asked is asked again within T.
 */
const SOUND_MS = 4_000;
/** Five operations in each. Where a leader outside of the core, behind slow links, is kept, an operation takes long. */
const ROUNDS = 10;
const DISTURBED_ROUNDS = 4;
/** Nothing that is sent twice is needed for an operation of a core that is at work: it takes less than that (P7). */
const CALM_MS = 150;
const IDLE_MS = 1_000;

/** How long it took to be at work again, 0 when it never was; what is not met is told to `core`. */
export async function demandProgress(core: HealedCore, healing: Healing): Promise<number> {
  const { world } = core;
  const begun = world.queue.now;
  const isCalm = isLeftAlone(healing);
  const isSound = isCalm && core.hosts.every(({ isDamaged }) => !isDamaged);
  const end = begun + PROGRESS_MS;
  const soon = begun + (isSound ? SOUND_MS : PROGRESS_MS);
  core.forgetOthers();
  const meets = (isMet: () => boolean, what: () => string) => {
    return core.demand(soon, isMet, () => `${what()} after ${world.queue.now - begun} ms: ${core.levels}`);
  };
  const isDone =
    (await meets(
      () => core.leader !== null && core.isLinked,
      () => `${core.isLinked ? "no leader" : "links missing"}`,
    )) &&
    (await meets(
      () => core.areClientsIdle,
      () => "operations pending",
    )) &&
    (await meets(
      () => core.isLevel,
      () => "not level",
    )) &&
    (await covers(core, end, isCalm)) &&
    (await newOperations(core, soon, isCalm)) &&
    (await meets(
      () => core.isLevel && core.unfinished === "",
      () => `not level: ${core.unfinished}`,
    ));
  const took = world.queue.now - begun;
  if (isDone) (await sameHash(core, end)) && (await keepsLeader(core, end, isCalm));
  return isDone ? took : 0;
}

/** A8: where the others can elect a leader, it does not rest before a damaged replica counts again in elections. */
async function covers(core: HealedCore, end: number, isCalm: boolean): Promise<boolean> {
  if (!isCalm || !core.isQuorum(core.hosts)) return true;
  const free = () => core.hosts.filter(({ core: one }) => one?.paxos.state.acceptor.isFreeFaulty !== false);
  const what = () => `free slots of ${free().map(({ id }) => id)} stay faulty: ${core.levels}`;
  return core.demand(end, () => free().length === 0 && core.leader !== null, what);
}

export function isLeftAlone({ outside, slowDisk }: Healing): boolean {
  return outside !== "as it was" && slowDisk === 0;
}

async function newOperations(core: HealedCore, end: number, isCalm: boolean): Promise<boolean> {
  for (let round = 0; round < (isCalm ? ROUNDS : DISTURBED_ROUNDS); round += 1) {
    // The first meets what the faults have left: commands sent again, a leader that has only just begun.
    const ms = isCalm && round > 0 ? CALM_MS : end - core.world.queue.now;
    // What a disk began while it was slow may take longer than all that heals.
    if (isCalm && round === 1) await core.until(slowUntil(core) + CALM_MS, () => false);
    const what = `new operations, round ${round}`;
    const isDone = isCalm
      ? await core.mustDo(core.hosts, ms, what)
      : await core.mustDoInTheEnd(core.hosts, ms, what);
    if (!isDone) return false;
  }
  return true;
}

function slowUntil({ hosts }: HealedCore): number {
  return Math.max(...hosts.map(({ disk }) => disk.slowUntil));
}

/** The whole logical state is the same everywhere (13). */
async function sameHash(core: HealedCore, end: number): Promise<boolean> {
  const hashes = new Map<ReplicaId, string>();
  for (const host of core.hosts) {
    const note = (answer: KvAnswer) =>
      hashes.set(host.id, answer.kind === "hash" ? answer.hash : answer.kind);
    const answer = host.replica!.read({ kind: "hash" }, { local: true }).then(note);
    core.follow(host, answer, (error) => {
      if (error !== "") hashes.set(host.id, error);
    });
  }
  const size = core.hosts.length;
  if (
    !(await core.demand(
      end,
      () => hashes.size === size,
      () => "no hash of the state",
    ))
  )
    return false;
  if (new Set(hashes.values()).size === 1) return true;
  core.fail(`states differ: ${[...hashes].map(([id, hash]) => `${id}: ${hash}`).join(", ")}`);
  return false;
}

/** One leader for 20 heartbeats; where nothing disturbs it, the same as before, and no more messages than those. */
async function keepsLeader(core: HealedCore, end: number, isCalm: boolean): Promise<boolean> {
  const { world } = core;
  if (isCalm) return isQuiet(core);
  let ballot = -1;
  let since = world.queue.now;
  const isStable = () => {
    const now = core.leader?.core?.ballot ?? -1;
    if (now !== ballot || now === -1) since = world.queue.now;
    ballot = now;
    return world.queue.now - since >= IDLE_MS;
  };
  return core.demand(end + IDLE_MS, isStable, () => `no leader keeps it: ${core.levels}`);
}

async function isQuiet(core: HealedCore): Promise<boolean> {
  const { world } = core;
  const ballot = core.leader?.core?.ballot;
  const kinds = new Map<string, number>();
  world.onDelivered = (_from, _to, kind) => kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  const isKept = () => core.leader?.core?.ballot === ballot;
  await core.until(world.queue.now + IDLE_MS, () => !isKept());
  world.onDelivered = () => {};
  if (!isKept()) core.fail(`the leader of a core at work changes: ${core.levels}`);
  const all = [...kinds.values()].reduce((sum, times) => sum + times, 0);
  // A heartbeat every 50 ms and its answer, by a clock that is fast by a fifth; a few watermarks.
  const most = 50 * (core.hosts.length - 1) + 20;
  if (all > most) core.fail(`${all} messages in an idle second: ${JSON.stringify([...kinds])}`);
  return !core.isOver;
}
