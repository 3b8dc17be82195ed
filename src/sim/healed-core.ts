// A healed core and what is asked of it: who leads it, whether it is level, operations of clients at its replicas. A
// demand that is not met is a violation, unless the data is proved beyond repair; then the run ends, and it counts.
import { LAST_SLOT, type ReplicaId, replicaOf } from "../paxos/ballot.js";
import { beyondRepair } from "./beyond-repair.js";
import type { Client, Recorded } from "./client.js";
import { InvariantBroken } from "./ghost.js";
import type { Host } from "./host.js";
import type { Requests } from "./requests.js";
import { dividedAfter } from "./told-digests.js";
import type { World } from "./world.js";

/** How often a condition is looked at, in virtual milliseconds. */
const LOOK_MS = 0.5;
/** A caller that was told that nothing came of it asks once more after so long. */
const AGAIN_MS = 50;

export class HealedCore {
  readonly world: World;
  readonly ids: readonly ReplicaId[];
  readonly #clients: readonly Client[];
  readonly #history: readonly Recorded[];
  readonly #requests: Requests;
  /** No demand can be made any more. */
  isExcused: boolean;
  /** How often free slots had healed when the present probe began. */
  #voids: number;

  constructor(
    world: World,
    ids: readonly ReplicaId[],
    clients: readonly Client[],
    history: readonly Recorded[],
    requests: Requests,
  ) {
    this.world = world;
    this.ids = ids;
    this.#clients = clients;
    this.#history = history;
    this.#requests = requests;
    this.isExcused = false;
    this.#voids = 0;
  }

  /** A replica that found its disk beyond what it heals by itself is out of it. */
  get hosts(): Host[] {
    return this.ids.map((id) => this.world.host(id)).filter((host) => !host.isLost);
  }

  get isOver(): boolean {
    return this.isExcused || this.world.violation !== null;
  }

  /** What is done to it now, for the trace and for the summary of a campaign. */
  begin(what: string): void {
    this.#voids = this.world.ghost.voids;
    this.world.reach(`probe ${what}`);
    this.world.tell(0, `probe: ${what}`);
  }

  othersThan(host: Host): Host[] {
    return this.hosts.filter((other) => other !== host);
  }

  /**
   * Whether `hosts` can elect one of them. A replica whose disk lost what it may have voted for in any slot (A4)
   * covers no slot that is still free, so that it counts for nobody (P3), until a leader helps it (A8).
   */
  isQuorum(hosts: readonly Host[]): boolean {
    const covering = hosts.filter(({ core }) => core?.paxos.state.acceptor.isFaulty(LAST_SLOT) === false);
    return covering.length >= this.world.ghost.memberships.first.phase1;
  }

  /** Each counts for an election. */
  get isSound(): boolean {
    return this.hosts.every(({ core }) => core?.paxos.state.acceptor.isFaulty(LAST_SLOT) === false);
  }

  fail(text: string): void {
    if (this.isOver) return;
    const reason = this.#excuse();
    if (reason === null) {
      this.world.violate(new InvariantBroken(`progress: ${text}`));
      return;
    }
    this.isExcused = true;
    this.world.reach("beyond repair");
    this.world.tell(0, `beyond repair: ${text}: ${reason}`);
  }

  /** Why nobody of it can recover everything with those that it reaches; null: somebody can. */
  #excuse(): string | null {
    const { network, ghost } = this.world;
    const isOpen = (a: ReplicaId, b: ReplicaId) => !network.wire(a, b).blocked && !network.wire(b, a).blocked;
    // One that a probe has killed is missed by nobody: the others are enough.
    const there = this.ids.filter((id) => this.world.host(id).isUp || this.world.host(id).isLost);
    const slot = dividedAfter(this.world.ghost);
    if (slot > 0)
      return `no majority has the same state after slot ${slot}, and nobody can tell whose is right`;
    let excuse: string | null = null;
    for (const id of there) {
      const reached = there.filter((peer) => peer === id || isOpen(id, peer));
      if (reached.length < ghost.memberships.first.phase1) continue;
      excuse = beyondRepair(this.world, reached);
      if (excuse === null) return null;
    }
    return excuse;
  }

  /** Lets time pass until `isDone` or `end`; whether it is done, and nothing is over. */
  async until(end: number, isDone: () => boolean): Promise<boolean> {
    const { world } = this;
    let next = 0;
    let done = false;
    await world.run(end, () => {
      if (world.queue.now >= next) {
        next = world.queue.now + LOOK_MS;
        done = isDone();
      }
      return done || this.isOver;
    });
    return !this.isOver && (done || isDone());
  }

  /** As `until`; `demand` is what is not met by then. */
  async demand(end: number, isDone: () => boolean, demand: () => string): Promise<boolean> {
    if (await this.until(end, isDone)) return true;
    this.fail(demand());
    return false;
  }

  /** Each has a link to each other, and knows of it: of one that breaks and is made again nobody may be told. */
  get isLinked(): boolean {
    const { network } = this.world;
    const ids = this.hosts.map(({ id }) => id);
    return this.hosts.every(({ id, core }) => {
      const isKnown = (peer: ReplicaId) => core?.paxos.state.election.linked.has(peer) === true;
      return ids.every((peer) => peer === id || (network.isLinked(id, peer) && isKnown(peer)));
    });
  }

  /** The one that leads, as all of the core know; null: they differ, or nobody does. */
  get leader(): Host | null {
    const { hosts } = this;
    const leader = hosts[0]?.core?.leader ?? 0;
    if (leader === 0 || hosts.some(({ core }) => core?.leader !== leader)) return null;
    const host = this.world.host(leader);
    return host.core?.isLeading === true ? host : null;
  }

  /** All have executed everything that is chosen, have room, and know that a quorum has. */
  get isLevel(): boolean {
    const all = this.hosts.map(({ replica }) => replica?.status());
    const first = all[0];
    if (first === undefined || first.appliedUpTo !== first.chosenUpTo) return false;
    if (all.some((one) => one?.isOutOfSpace)) return false;
    if (this.hosts.some(({ core }) => core?.paxos.state.isQuorumFull)) return false;
    return all.every((one) => one?.appliedUpTo === first.appliedUpTo && one.chosenUpTo === first.chosenUpTo);
  }

  get levels(): string {
    const shown = this.hosts.map(({ id, replica, core }) => {
      if (replica === null) return `${id} is down`;
      const { appliedUpTo, chosenUpTo } = replica.status();
      return `${id} has ${appliedUpTo} of ${chosenUpTo}, follows ${core?.leader ?? 0}`;
    });
    return shown.join(", ");
  }

  /** What replicas still have under way; "": nothing. */
  get unfinished(): string {
    for (const { id, core } of this.hosts) {
      if (core === null) return `replica ${id} has not begun`;
      const { forwarding, reads, proposer, catchUp, learner, told } = core.paxos.state;
      if (forwarding.pending.size > 0) return `replica ${id} has ${forwarding.pending.size} commands pending`;
      if (reads.open.size > 0) return `replica ${id} has ${reads.open.size} reads open`;
      if (proposer.inFlight.size > 0)
        return `replica ${id} has ${proposer.inFlight.size} proposals in flight`;
      if (proposer.isWaiting || told.length > 0 || reads.waiting.length > 0)
        return `replica ${id} has a queue`;
      if (learner.above.size > 0 || catchUp.isBehind(learner.chosenUpTo)) return `replica ${id} has a hole`;
    }
    return "";
  }

  /** Calls `done` when `answer` settles, with "" or what went wrong; never when the process dies first. */
  follow(host: Host, answer: Promise<unknown>, done: (error: string) => void): void {
    const { replica } = host;
    host.await(1);
    const end = (error: string) => {
      if (host.replica === replica) host.await(-1);
      done(error);
    };
    answer.then(
      () => end(""),
      (error: Error) => end(error.message),
    );
  }

  get areClientsIdle(): boolean {
    return this.#clients.every(({ isIdle }) => isIdle);
  }

  /** Operations at replicas outside of the core are waited for no more: their outcome stays unknown. */
  forgetOthers(): void {
    const replicas = this.hosts.map(({ replica }) => replica);
    for (const client of this.#clients) client.waitOnlyFor(replicas);
  }

  /** One operation of each client, the clients spread over `at`; what was asked. */
  ask(at: readonly Host[]): readonly Recorded[] {
    const from = this.#history.length;
    const up = at.filter(({ isUp }) => isUp);
    if (up.length > 0) {
      for (const [i, client] of this.#clients.entries())
        client.ask(up[i % up.length]!, this.#requests.next());
    }
    return this.#history.slice(from);
  }

  /** A put of each client, at each of `at` in turn. */
  put(at: readonly Host[]): void {
    for (const [i, client] of this.#clients.entries()) client.ask(at[i % at.length]!, this.#requests.put());
  }

  /** One operation of each client at one replica, so far apart that each has a slot of its own. */
  async askApart(at: Host, ms: number): Promise<void> {
    for (const client of this.#clients) {
      if (at.isUp) client.ask(at, this.#requests.next());
      await this.until(this.world.queue.now + ms, () => false);
    }
  }

  /** Asks at `at`; all must be done within `ms`, each at the first time that it is asked. */
  async mustDo(at: readonly Host[], ms: number, what: string): Promise<boolean> {
    const undone = await this.#ask(at, this.world.queue.now + ms, what);
    if (undone !== "") this.fail(undone);
    return !this.isOver;
  }

  /** As `mustDo`, for a core that talks over bad links: callers that gave up ask once more, until `ms` are over. */
  async mustDoInTheEnd(at: readonly Host[], ms: number, what: string): Promise<boolean> {
    const { queue } = this.world;
    const end = queue.now + ms;
    for (;;) {
      const undone = await this.#ask(at, end, what);
      if (undone === "" || this.isOver) return !this.isOver;
      if (queue.now + AGAIN_MS >= end) {
        this.fail(undone);
        return false;
      }
      await this.until(queue.now + AGAIN_MS, () => false);
    }
  }

  /** What is wrong with operations at `at` that are done by `end`, "" when nothing is. */
  async #ask(at: readonly Host[], end: number, what: string): Promise<string> {
    const { queue } = this.world;
    const ms = Math.round(end - queue.now);
    const asked = this.ask(at);
    const isDone = () => this.areClientsIdle;
    await this.demand(end, isDone, () => `${what}: not done after ${ms} ms; ${this.levels}`);
    const undone = asked.filter(({ outcome }) => outcome.kind !== "ok").length;
    return undone === 0 ? "" : `${what}: ${undone} of ${asked.length} operations failed; ${this.levels}`;
  }

  /** Led, linked, level and with nothing under way within `ms`. */
  levelAgain(what: string, ms: number): Promise<boolean> {
    const isDone = () => this.leader !== null && this.isLinked && this.isLevel && this.unfinished === "";
    const end = this.world.queue.now + ms;
    return this.demand(end, isDone, () => `${what}: ${this.unfinished}; ${this.levels}`);
  }

  keeps(ballot: number, what: string): void {
    if (!this.isKept(ballot, this.leader)) this.fail(`${what} changes the leader: ${this.levels}`);
  }

  /** Whether `leader` leads as before; but for a new ballot for one that has found its disk damaged (A8). */
  isKept(ballot: number, leader: Host | null): boolean {
    if (leader?.core?.ballot === ballot) return true;
    const isAsked = this.world.ghost.voids > this.#voids || !this.isSound;
    return isAsked && (leader === null || leader.id === replicaOf(ballot));
  }
}
