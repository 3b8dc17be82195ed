// A world with time: a run of so many virtual milliseconds, elections on demand, and what tests ask of the outcome.
import assert from "node:assert/strict";
import type { ReplicaId } from "../../src/paxos/ballot.js";
import type { Message } from "../../src/paxos/message.js";
import { commandsOf } from "../../src/paxos/value.js";
import { type InFlight, World } from "./world.js";

const decoder = new TextDecoder();

export class Cluster extends World {
  /** Syncs and delivers until nothing is left, with no time passing. */
  settle(): void {
    for (let i = 0; i < 100_000; i += 1) {
      const next = this.flying[0];
      if (next !== undefined) {
        if (this.link(next.from, next.to) === "up") this.deliver(next);
        else this.drop(next);
        continue;
      }
      const unsynced = this.ids.find((id) => this.#mustSync(id));
      if (unsynced === undefined) return;
      this.sync(unsynced);
    }
    assert.fail("the cluster does not settle");
  }

  #mustSync(id: ReplicaId): boolean {
    const replica = this.replica(id);
    return replica.core !== null && replica.waiting.some(({ outbox }) => outbox.isUrgent);
  }

  /** The next thing that a timed run does, and when. */
  #next(): { at: number; run: () => void } | null {
    let at = Number.POSITIVE_INFINITY;
    let run: (() => void) | null = null;
    for (const flying of this.flying) {
      if (flying.arrivesAt >= at) continue;
      at = flying.arrivesAt;
      run = () => (this.link(flying.from, flying.to) === "up" ? this.deliver(flying) : this.drop(flying));
    }
    for (const [id, replica] of this.replicas) {
      if (replica.core === null) continue;
      if (replica.core.deadline + replica.lag < at) {
        at = replica.core.deadline + replica.lag;
        run = () => this.step(id, { kind: "tick" });
      }
      const first = replica.waiting.find(({ outbox }) => outbox.isUrgent);
      const syncAt = first === undefined ? Number.POSITIVE_INFINITY : first.at + (this.options.syncMs ?? 1);
      if (syncAt < at) {
        at = syncAt;
        run = () => this.sync(id);
      }
    }
    for (const [id, offer] of this.offers) {
      if (offer.at >= at) continue;
      at = offer.at;
      run = () => this.install(id);
    }
    return run === null ? null : { at, run };
  }

  /** Lets `ms` of virtual time pass, or less if `until` comes true; returns whether it did. */
  run(ms: number, until: () => boolean = () => false): boolean {
    const end = this.now + ms;
    let still = 0;
    while (!until()) {
      const next = this.#next();
      if (next === null || next.at > end) {
        this.now = end;
        return until();
      }
      still = next.at > this.now ? 0 : still + 1;
      assert(still < 10_000, `time stands still at ${this.now}`);
      this.now = Math.max(this.now, next.at);
      next.run();
    }
    return true;
  }

  /** Makes `id` lead: `ms` pass before each attempt, for it alone, so that nobody else is a candidate. */
  elect(id: ReplicaId, ms = 2 * (this.options.electionMs ?? 500)): void {
    for (let attempt = 0; attempt < 20; attempt += 1) {
      this.settle();
      if (this.core(id).isLeading) return;
      this.now += ms;
      this.step(id, { kind: "tick" });
    }
    assert.fail(`replica ${id} cannot be made leader`);
  }

  /** Makes `id` lead by the promise of `voters` alone, with no other message delivered. */
  electBy(id: ReplicaId, ...voters: readonly ReplicaId[]): void {
    for (let attempt = 0; attempt < 20 && !this.core(id).isLeading; attempt += 1) {
      this.now += this.options.electionMs ?? 500;
      this.step(id, { kind: "tick" });
      for (const kind of ["canvass", "prepare"] as const) {
        for (const voter of voters) {
          this.sync(id);
          if (this.find(id, voter, kind).length > 0) this.pass(id, voter, kind);
          this.sync(voter);
          const answer = kind === "canvass" ? "canvassReply" : "promise";
          if (this.find(voter, id, answer).length > 0) this.pass(voter, id, answer);
        }
      }
    }
    assert.ok(this.core(id).isLeading, `replica ${id} cannot be made leader`);
  }

  /** Only the replicas `ids` reach each other; everything else is silently cut. */
  island(...ids: readonly ReplicaId[]): void {
    for (const a of this.ids) {
      for (const b of this.ids) {
        if (a < b) this.setLink(a, b, ids.includes(a) && ids.includes(b) ? "up" : "silent");
      }
    }
  }

  /** Takes messages out of the network, to be delivered later with `deliver(flying, true)`. */
  hold(from: ReplicaId, to: ReplicaId, kind?: Message["kind"]): InFlight[] {
    const held = this.find(from, to, kind);
    assert(held.length > 0, `${from} has sent ${kind ?? "something"} to ${to}`);
    for (const flying of held) this.drop(flying);
    return held;
  }

  /** Delivers what is in flight of one kind between two replicas, in order, once; there must be some. */
  pass(from: ReplicaId, to: ReplicaId, kind?: Message["kind"]): void {
    for (const flying of this.hold(from, to, kind)) this.deliver(flying, true);
  }

  /** Whether the command `text` was executed at `id`. */
  hasExecuted(id: ReplicaId, text: string): boolean {
    const { executed, texts } = this.replica(id);
    for (; texts.upTo < executed.length; texts.upTo += 1) {
      for (const { payload } of commandsOf(executed[texts.upTo]!.value))
        texts.known.add(decoder.decode(payload));
    }
    return texts.known.has(text);
  }

  /** The commands executed at `id`, in order, each as its text. */
  executedAt(id: ReplicaId): string[] {
    return this.replica(id).executed.flatMap(({ value }) =>
      commandsOf(value).map((command) => decoder.decode(command.payload)),
    );
  }
}
