// S10: the steady state costs one round trip and one disk write. Counted by message, over 1,000 commands in turn.
import assert from "node:assert/strict";
import { test } from "node:test";
import { syncedUpTo } from "../../test/cluster/forge.js";
import type { Event } from "./event.js";
import { Memberships, majorityOf } from "./membership.js";
import type { Message } from "./message.js";
import { Outbox } from "./outbox.js";
import { Paxos } from "./paxos.js";
import { commandsOf } from "./value.js";

/** Three replicas on a perfect network and instant disks; time passes only by `run`. */
class World {
  now = 0;
  readonly replicas = new Map<number, Paxos>();
  readonly turns = new Map<number, number>();
  readonly executed = new Map<number, string[]>();
  readonly counts = new Map<string, number>();
  readonly queue: { to: number; event: Event }[] = [];

  constructor(n: number) {
    const memberships = new Memberships(majorityOf(Array.from({ length: n }, (_, i) => i + 1)), 64);
    for (let self = 1; self <= n; self += 1) {
      const recovered = {
        promised: 0,
        chosenUpTo: 0,
        compactedUpTo: 0,
        accepted: [],
        learned: [],
        faulty: [],
      };
      const options = { self, incarnation: 1, memberships, recovered, seed: self, now: 0 };
      this.replicas.set(self, new Paxos({ ...options, heartbeatMs: 50, electionMs: 500 }));
      this.turns.set(self, 0);
      this.executed.set(self, []);
    }
    for (const a of this.replicas.keys()) {
      for (const b of this.replicas.keys()) if (a !== b) this.give(a, { kind: "linkUp", peer: b });
    }
  }

  give(to: number, event: Event): void {
    this.queue.push({ to, event });
  }

  #post(from: number, to: readonly number[], message: Message): void {
    for (const target of to) {
      this.counts.set(`${from} ${message.kind}`, (this.counts.get(`${from} ${message.kind}`) ?? 0) + 1);
      this.give(target, { kind: "message", from, message });
    }
  }

  turn(self: number, event: Event): void {
    const paxos = this.replicas.get(self)!;
    const turn = this.turns.get(self)! + 1;
    this.turns.set(self, turn);
    const outbox = new Outbox(turn);
    paxos.step(event, this.now, outbox);
    paxos.endTurn(this.now, outbox);
    for (const { to, message } of outbox.sendNow) this.#post(self, to, message);
    for (const { to, message } of outbox.releaseAfterSync(syncedUpTo(turn))) {
      this.#post(self, to, message);
    }
    for (const { value } of outbox.chosen) {
      for (const { payload } of commandsOf(value)) {
        this.executed.get(self)!.push(String.fromCharCode(...payload));
      }
    }
    if (outbox.promise !== 0 || outbox.records.length > 0) this.give(self, { kind: "synced", turn });
  }

  drain(): void {
    for (let next = this.queue.shift(); next !== undefined; next = this.queue.shift()) {
      this.turn(next.to, next.event);
    }
  }

  run(ms: number): void {
    const end = this.now + ms;
    this.drain();
    for (;;) {
      let self = 0;
      let at = end;
      for (const [id, paxos] of this.replicas) {
        if (paxos.deadline >= at) continue;
        at = paxos.deadline;
        self = id;
      }
      if (self === 0) break;
      this.now = Math.max(this.now, at);
      this.turn(self, { kind: "tick" });
      this.drain();
    }
    this.now = end;
  }

  get leader(): number {
    for (const [id, paxos] of this.replicas) if (paxos.isLeading) return id;
    return 0;
  }

  propose(at: number, number: number, text: string): void {
    const payload = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    this.give(at, { kind: "propose", number, settled: number - 1, payload });
    this.drain();
  }
}

test("S10: a command at the leader costs two accept and two accepted, and no prepare after the election", () => {
  const world = new World(3);
  world.run(2000);
  const { leader } = world;
  assert.notEqual(leader, 0);
  world.counts.clear();
  for (let i = 1; i <= 1000; i += 1) world.propose(leader, i, `c${i}`);
  const others = [1, 2, 3].filter((id) => id !== leader);
  assert.deepEqual(Object.fromEntries(world.counts), {
    [`${leader} accept`]: 2000,
    [`${others[0]} accepted`]: 1000,
    [`${others[1]} accepted`]: 1000,
  });
  world.run(200);
  for (const id of [1, 2, 3]) assert.equal(world.executed.get(id)!.length, 1000, `replica ${id}`);
});

test("S10: a command at a follower costs one forward and one forwarded more", () => {
  const world = new World(3);
  world.run(2000);
  const { leader } = world;
  const follower = leader === 1 ? 2 : 1;
  world.counts.clear();
  for (let i = 1; i <= 1000; i += 1) {
    world.propose(follower, i, `c${i}`);
    assert.equal(
      world.executed.get(follower)!.length,
      i,
      "executed where it was proposed, without a heartbeat",
    );
  }
  assert.equal(world.counts.get(`${follower} forward`), 1000);
  assert.equal(world.counts.get(`${leader} forwarded`), 1000);
  assert.equal(world.counts.get(`${leader} accept`), 2000);
  assert.equal(world.counts.get(`${leader} prepare`), undefined);
  assert.equal(world.counts.size, 5);
});

test("S11: no prepare while nobody rejects, however long", () => {
  const world = new World(5);
  world.run(2000);
  const { leader } = world;
  world.counts.clear();
  world.run(60_000);
  assert.equal(world.leader, leader);
  const kinds = [...world.counts.keys()].map((key) => key.split(" ")[1]);
  assert.deepEqual([...new Set(kinds)].sort(), ["heartbeat", "heartbeatAck"]);
});
