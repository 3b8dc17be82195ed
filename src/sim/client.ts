// A client of the cluster: one operation at a time, at the replica it likes, over few keys, each value its own. It
// records what it asked and what it was told; an operation whose replica dies has an unknown outcome.
import type { Random } from "../base/random.js";
import { encodeCommand } from "../kv/codec.js";
import type { KvAnswer, KvResult } from "../kv/commands.js";
import { payloadKey } from "./ghost.js";
import type { HistoryOperation, Outcome, Request } from "./history/operation.js";
import type { Host, KvReplica } from "./host.js";
import { commandOf, outcomeOf, queryOf } from "./kv-calls.js";
import type { World } from "./world.js";

/** An operation as it is recorded: its end comes later, or never. */
export interface Recorded extends HistoryOperation {
  return: number;
  outcome: Outcome;
  /** The bytes of its command, by `payloadKey`; "" for a query. */
  readonly payload: string;
}

/** Errors of a replica by which nothing was proposed, and nothing ever will be. */
const REFUSALS: ReadonlySet<string> = new Set(["OVERLOADED", "CLOSED", "UNAVAILABLE"]);

export interface ClientOptions {
  readonly world: World;
  readonly id: number;
  readonly random: Random;
  /** Mean of the time between two operations, in milliseconds. */
  readonly pace: number;
  readonly keys: number;
  readonly history: Recorded[];
}

/** What is under way, and where. */
interface Current {
  readonly recorded: Recorded;
  readonly host: Host;
  readonly replica: KvReplica;
}

export class Client {
  readonly #options: ClientOptions;
  #values: number;
  #isStopped: boolean;
  #current: Current | null;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#values = 0;
    this.#isStopped = false;
    this.#current = null;
  }

  /** Begins, and goes on until `stop`. */
  start(): void {
    const { world, random, pace } = this.#options;
    world.queue.after(2 * pace * random.next(), () => {
      if (this.#isStopped) return;
      this.#next();
      this.start();
    });
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Nothing of it is under way, but what was lost with its replica. */
  get isIdle(): boolean {
    this.#forgetLost();
    return this.#current === null;
  }

  #forgetLost(): void {
    this.waitOnlyFor([...this.#options.world.hosts.values()].map(({ replica }) => replica));
  }

  /** An operation at any other replica is waited for no more: its outcome stays unknown. */
  waitOnlyFor(replicas: readonly (KvReplica | null)[]): void {
    if (this.#current === null || replicas.includes(this.#current.replica)) return;
    this.#end(this.#current);
  }

  #next(): void {
    this.#forgetLost();
    if (this.#current !== null) return;
    const { world, random } = this.#options;
    const up = [...world.hosts.values()].filter((host) => host.isUp);
    if (up.length === 0) return;
    this.askOne(up[random.below(up.length)]!);
  }

  /** One operation of the usual kinds at the replica of `host`, which is up. */
  askOne(host: Host): void {
    this.#ask(host, this.#choose());
  }

  /** Asks one replica and records what comes of it. */
  #ask(host: Host, request: Request): void {
    const { world, history, id } = this.#options;
    const replica = host.replica!;
    const command = commandOf(request);
    const recorded: Recorded = {
      process: id,
      call: world.queue.now,
      return: Number.POSITIVE_INFINITY,
      request,
      outcome: { kind: "unknown" },
      payload: command === null ? "" : payloadKey(encodeCommand(command)),
    };
    history.push(recorded);
    const current = { recorded, host, replica };
    this.#current = current;
    host.await(1);
    const answered: Promise<KvResult | KvAnswer> =
      request.kind === "get"
        ? replica.read(queryOf(request), { local: request.local === true })
        : replica.propose(command!);
    answered.then(
      (told) => {
        recorded.outcome = outcomeOf(told) ?? { kind: "failed" };
        recorded.return = world.queue.now;
        this.#ended(current);
      },
      (error: Error & { code?: string }) => {
        world.reach(`client told ${error.code ?? error.message}`);
        if (request.kind === "get" || REFUSALS.has(error.code ?? "")) {
          recorded.outcome = { kind: "failed" };
          recorded.return = world.queue.now;
        }
        this.#ended(current);
      },
    );
  }

  #ended(current: Current): void {
    if (this.#current === current) this.#end(current);
  }

  #end({ host, replica }: Current): void {
    this.#current = null;
    // A process that is dead is waited for no more, and its successor was not asked.
    if (host.replica === replica) host.await(-1);
  }

  #choose(): Request {
    const { random } = this.#options;
    const key = this.#key();
    const kind = random.below(20);
    if (kind < 8) return { kind: "put", key, value: this.#value(), prevKv: random.next() < 0.3 };
    if (kind < 14) return { kind: "get", key };
    if (kind < 15) return { kind: "get", key, local: true };
    if (kind < 17) return { kind: "delete", key };
    return this.#txn(key);
  }

  #key(): string {
    return `k${this.#options.random.below(this.#options.keys)}`;
  }

  /** Nobody else ever writes it. */
  #value(): string {
    this.#values += 1;
    return `${this.#options.id}.${this.#values}`;
  }

  /** If the key is there, two puts; if not, one: half done it would show. */
  #txn(key: string): Request {
    const put = (at: string) => ({ kind: "put", key: at, value: this.#value() }) as const;
    return {
      kind: "txn",
      compares: [{ key, target: "create", relation: ">", operand: 0 }],
      success: [put(key), put(`${this.#key()}+`)],
      failure: [put(key)],
    };
  }
}
