// Random faults under the whole replica, by seed: crashes with torn disks, cuts, transfers, with commands and reads
// on every replica. Everything acknowledged is executed, nothing twice, everywhere the same, no read goes back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../../src/base/random.js";
import { jsonMachine } from "../../src/machine/json-machine.js";
import { MemoryCluster } from "../support/memory-cluster.js";

const STEPS = 60;

/** Every command in the order of its execution. */
function history() {
  return jsonMachine({
    initial: { seen: [] as number[] },
    apply: (state, command: number) => state.seen.push(command),
    query: (state, _query: null) => [...state.seen],
  });
}

class Chaos {
  readonly #random: Random;
  readonly #cluster: MemoryCluster<number, number, null, number[]>;
  readonly #down = new Set<number>();
  readonly #cuts = new Set<string>();
  readonly #acknowledged = new Set<number>();
  readonly #outcomes: Promise<void>[] = [];
  #last = 0;
  #newestRead = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#cluster = new MemoryCluster({ replicas: 3, machine: history, seed });
  }

  async run(): Promise<void> {
    const { clock } = this.#cluster;
    await this.#cluster.startAll();
    for (let step = 0; step < STEPS; step += 1) {
      await this.#step(this.#random.below(10));
      await clock.pass(this.#random.below(this.#random.below(4) === 0 ? 1500 : 30));
    }
    for (const pair of [...this.#cuts]) this.#toggle(pair);
    for (const id of this.#down) await this.#cluster.start(id);
    await clock.pass(8000);
    await clock.settle(Promise.all(this.#cluster.ids.map((id) => this.#cluster.replica(id).ready())));
    await this.#check();
    await this.#cluster.closeAll();
  }

  async #step(kind: number): Promise<void> {
    const up = this.#cluster.ids.filter((id) => !this.#down.has(id));
    const id = up[this.#random.below(up.length)]!;
    const replica = this.#cluster.replica(id);
    if (kind < 5) {
      for (let i = this.#random.below(30); i >= 0; i -= 1) this.#propose(id);
    } else if (kind === 5 && this.#down.size < 2) {
      this.#down.add(id);
      await this.#cluster.crash(id);
    } else if (kind === 6) {
      for (const stopped of this.#down) {
        this.#down.delete(stopped);
        await this.#cluster.start(stopped);
        break;
      }
    } else if (kind === 7) {
      this.#toggle(["1-2", "2-3", "1-3"][this.#random.below(3)]!);
    } else if (kind === 8) {
      this.#read(id);
    } else if (kind === 9 && replica.status().role === "leader") {
      this.#outcomes.push(replica.transferLeadership().catch(assertCode("UNAVAILABLE")));
    }
  }

  #propose(id: number): void {
    this.#last += 1;
    const command = this.#last;
    const outcome = this.#cluster
      .replica(id)
      .propose(command)
      .then(() => void this.#acknowledged.add(command), assertCode("OUTCOME_UNKNOWN", "UNAVAILABLE"));
    this.#outcomes.push(outcome);
  }

  #read(id: number): void {
    const floor = Math.max(this.#newestRead, this.#acknowledged.size);
    const outcome = this.#cluster
      .replica(id)
      .read(null)
      .then((seen) => {
        assert.ok(seen.length >= floor, `read ${seen.length} executed commands after ${floor}`);
        this.#newestRead = Math.max(this.#newestRead, seen.length);
      }, assertCode("UNAVAILABLE"));
    this.#outcomes.push(outcome);
  }

  #toggle(pair: string): void {
    const [a, b] = pair.split("-").map(Number) as [number, number];
    if (this.#cuts.delete(pair)) {
      this.#cluster.hub.heal(a, b);
    } else {
      this.#cuts.add(pair);
      this.#cluster.hub.cut(a, b);
    }
  }

  async #check(): Promise<void> {
    const { clock, ids } = this.#cluster;
    await clock.settle(Promise.all(this.#outcomes));
    await clock.settle(this.#cluster.replica(1).propose(0));
    await this.#cluster.level();
    const states = await Promise.all(ids.map((id) => this.#cluster.replica(id).read(null, { local: true })));
    for (const state of states) assert.deepEqual(state, states[0]);
    const seen = new Set(states[0]);
    assert.equal(seen.size, states[0]!.length, "no command was executed twice");
    for (const command of this.#acknowledged) assert.ok(seen.has(command), `${command} was acknowledged`);
    for (const id of ids) assert.deepEqual(this.#cluster.faults(id), []);
  }
}

function assertCode(...codes: readonly string[]): (error: Error & { code?: string }) => void {
  return (error) => assert.ok(codes.includes(error.code ?? ""), `${error.name}: ${error.message}`);
}

for (let seed = 1; seed <= 12; seed += 1) {
  test(`F13, F17: exactly once, and no read goes back, whatever fails; seed ${seed}`, () =>
    new Chaos(seed).run());
}
