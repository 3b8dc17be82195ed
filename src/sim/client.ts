// A client of the cluster: one operation at a time, at the replica it likes, over few keys, each value its own. It
// records what it asked and what it was told; an operation whose replica dies has an unknown outcome.
import type { Random } from "../base/random.js";
import { encodeUtf8 } from "../base/utf8.js";
import type { KvAnswer, KvCommand, KvQuery, KvResult } from "../kv/commands.js";
import {
  Compare,
  Compare_CompareResult,
  Compare_CompareTarget,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from "../proto/gen/rpc.js";
import type { KvReplica } from "./host.js";
import type { World } from "./world.js";

export type Asked =
  | { readonly kind: "command"; readonly command: KvCommand }
  | { readonly kind: "query"; readonly query: KvQuery; readonly local: boolean };

export interface Recorded {
  readonly client: number;
  readonly asked: Asked;
  /** True time, in milliseconds. */
  readonly call: number;
  /** Infinity: never. */
  return: number;
  /** Null: unknown, or failed when `isRefused`. */
  outcome: KvResult | KvAnswer | null;
  /** It had no effect and never will. */
  isRefused: boolean;
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

export class Client {
  readonly #options: ClientOptions;
  #values: number;
  #isStopped: boolean;
  #current: { readonly recorded: Recorded; readonly replica: KvReplica } | null;

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
    const current = this.#current;
    if (current === null) return;
    for (const host of this.#options.world.hosts.values()) if (host.replica === current.replica) return;
    this.#current = null;
    this.#options.world.outstanding -= 1;
  }

  #next(): void {
    this.#forgetLost();
    if (this.#current !== null) return;
    const { world, random } = this.#options;
    const up = [...world.hosts.values()].filter((host) => host.isUp);
    if (up.length === 0) return;
    const { replica } = up[random.below(up.length)]!;
    this.#ask(replica!, this.#choose());
  }

  /** One operation of the usual kinds at `replica`. */
  askOne(replica: KvReplica): void {
    this.#ask(replica, this.#choose());
  }

  /** Asks one replica and records what comes of it. */
  #ask(replica: KvReplica, asked: Asked): void {
    const { world, history, id } = this.#options;
    const recorded: Recorded = {
      client: id,
      asked,
      call: world.queue.now,
      return: Number.POSITIVE_INFINITY,
      outcome: null,
      isRefused: false,
    };
    history.push(recorded);
    const current = { recorded, replica };
    this.#current = current;
    world.outstanding += 1;
    const answered: Promise<KvResult | KvAnswer> =
      asked.kind === "command"
        ? replica.propose(asked.command)
        : replica.read(asked.query, { local: asked.local });
    answered.then(
      (outcome) => {
        recorded.outcome = outcome;
        recorded.return = world.queue.now;
        this.#ended(current);
      },
      (error: Error & { code?: string }) => {
        recorded.isRefused = REFUSALS.has(error.code ?? "") || asked.kind === "query";
        if (recorded.isRefused) recorded.return = world.queue.now;
        world.reach(`client told ${error.code ?? error.message}`);
        this.#ended(current);
      },
    );
  }

  #ended(current: object): void {
    if (this.#current !== current) return;
    this.#current = null;
    this.#options.world.outstanding -= 1;
  }

  #choose(): Asked {
    const { random } = this.#options;
    const key = encodeUtf8(`k${random.below(this.#options.keys)}`);
    const kind = random.below(20);
    if (kind < 8) return command({ kind: "put", request: this.#put(key) });
    if (kind < 15) return query(key, kind === 14);
    if (kind < 17) {
      return command({ kind: "deleteRange", request: DeleteRangeRequest.fromPartial({ key }) });
    }
    return command({ kind: "txn", request: this.#txn(key) });
  }

  #put(key: Uint8Array): PutRequest {
    this.#values += 1;
    const value = encodeUtf8(`${this.#options.id}.${this.#values}`);
    return PutRequest.fromPartial({ key, value, prevKv: this.#options.random.next() < 0.3 });
  }

  /** If the key is there, two puts; if not, one: half done it would show. */
  #txn(key: Uint8Array): TxnRequest {
    const other = encodeUtf8(`k${this.#options.random.below(this.#options.keys)}+`);
    const put = (at: Uint8Array) => RequestOp.fromPartial({ requestPut: this.#put(at) });
    return TxnRequest.fromPartial({
      compare: [
        Compare.fromPartial({
          key,
          target: Compare_CompareTarget.CREATE,
          result: Compare_CompareResult.GREATER,
          createRevision: 0,
        }),
      ],
      success: [put(key), put(other)],
      failure: [put(key)],
    });
  }
}

const command = (command: KvCommand): Asked => ({ kind: "command", command });

function query(key: Uint8Array, local: boolean): Asked {
  const request = RangeRequest.fromPartial({ key, serializable: local });
  return { kind: "query", query: { kind: "range", request }, local };
}
