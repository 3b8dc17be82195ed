// Replicas with real cores and logs in one process, over memory and a virtual clock.
import { Random } from "../../src/base/random.js";
import type { StateMachine } from "../../src/machine/machine.js";
import { DEFAULT_ALPHA, DEFAULT_DIGEST_INTERVAL } from "../../src/paxos/genesis.js";
import { Paxos } from "../../src/paxos/paxos.js";
import { MemoryHub } from "../../src/replica/memory-network.js";
import { SNAPSHOT_BYTES } from "../../src/replica/opening.js";
import type { Network } from "../../src/replica/ports.js";
import { Replica } from "../../src/replica/replica.js";
import type { Disk } from "../../src/wal/disk.js";
import { MemoryDisk } from "../../src/wal/memory-disk.js";
import { VirtualClock } from "./virtual-clock.js";

export interface MemoryClusterOptions<C, R, Q, A> {
  readonly replicas: number;
  readonly machine: (id: number) => StateMachine<C, R, Q, A> | Promise<StateMachine<C, R, Q, A>>;
  readonly seed?: number;
  readonly makeDisk?: (id: number) => MemoryDisk;
  /** What a life sees of its disk; all of it, unless given. */
  readonly view?: (id: number, disk: MemoryDisk) => Disk;
  readonly segmentBytes?: number;
  readonly tailBytes?: number;
  readonly snapshotBytes?: number;
  readonly digestInterval?: number;
}

interface Life<C, R, Q, A> {
  readonly replica: Replica<C, R, Q, A>;
  readonly network: Network;
  readonly faults: string[];
}

export class MemoryCluster<C, R, Q, A> {
  readonly clock = new VirtualClock();
  readonly ids: readonly number[];
  readonly hub: MemoryHub;
  readonly disks = new Map<number, MemoryDisk>();
  readonly #options: MemoryClusterOptions<C, R, Q, A>;
  readonly #lives = new Map<number, Life<C, R, Q, A>>();
  readonly #random: Random;

  constructor(options: MemoryClusterOptions<C, R, Q, A>) {
    this.#options = options;
    this.#random = new Random(options.seed ?? 1);
    this.ids = Array.from({ length: options.replicas }, (_, i) => i + 1);
    this.hub = new MemoryHub(this.clock, this.ids);
  }

  /** Starts `id` on its disk, a new one if it has none; resolves when it has started. */
  async start(id: number): Promise<Replica<C, R, Q, A>> {
    const disk = this.disks.get(id) ?? this.#options.makeDisk?.(id) ?? new MemoryDisk();
    this.disks.set(id, disk);
    const network = this.hub.network(id);
    const replica = new Replica<C, R, Q, A>({
      id,
      cluster: {
        token: "test",
        members: this.ids.map((member) => ({ id: member, address: `memory:${member}` })),
        alpha: DEFAULT_ALPHA,
        quorum: "majority",
        digestInterval: this.#options.digestInterval ?? DEFAULT_DIGEST_INTERVAL,
      },
      openStorage: async (prepare) => {
        const view = this.#options.view?.(id, disk) ?? disk;
        // What a new one has no room for is told by `io/storage.ts`.
        if (disk.names().includes("identity")) await prepare(view);
        return { disk: view, machine: await this.#options.machine(id), release: async () => {} };
      },
      network,
      clock: this.clock,
      randomHex: (bytes) =>
        Array.from({ length: bytes }, () => this.#random.below(256).toString(16).padStart(2, "0")).join(""),
      makeCore: (core) => new Paxos(core),
      heartbeatMs: 50,
      electionMs: 500,
      requestTimeoutMs: 6000,
      segmentBytes: this.#options.segmentBytes ?? 1 << 18,
      tailBytes: this.#options.tailBytes ?? 1 << 20,
      snapshotBytes: this.#options.snapshotBytes ?? SNAPSHOT_BYTES,
    });
    const faults: string[] = [];
    replica.on("fault", ({ text }) => faults.push(text));
    this.#lives.set(id, { replica, network, faults });
    replica.start();
    await this.clock.settle(replica.started());
    return replica;
  }

  async startAll(): Promise<void> {
    for (const id of this.ids) await this.start(id);
    for (const id of this.ids) await this.clock.settle(this.replica(id).ready());
  }

  replica(id: number): Replica<C, R, Q, A> {
    return this.#lives.get(id)!.replica;
  }

  faults(id: number): string[] {
    return this.#lives.get(id)!.faults;
  }

  /** The running replica that leads, once there is one. */
  async leader(): Promise<number> {
    let leader = 0;
    await this.clock.until(() => {
      leader = 0;
      for (const [id, { replica }] of this.#lives) if (replica.status().role === "leader") leader = id;
      return leader !== 0;
    });
    return leader;
  }

  async follower(): Promise<number> {
    const leader = await this.leader();
    return [...this.#lives.keys()].find((id) => id !== leader)!;
  }

  /** Power fails at `id`; `tears`: of what was not synced, chance decides what stays. */
  async crash(id: number, tears = true): Promise<void> {
    await this.#lives.get(id)!.network.close();
    this.#lives.delete(id);
    this.disks.get(id)!.crash(tears ? this.#random : null);
  }

  /** Everyone running has executed what the others have. */
  async level(): Promise<void> {
    await this.clock.until(() => {
      const slots = [...this.#lives.values()].map(({ replica }) => replica.status().appliedUpTo);
      return slots.every((slot) => slot === slots[0]);
    });
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#lives.values()].map(({ replica }) => this.clock.settle(replica.close())));
  }
}
