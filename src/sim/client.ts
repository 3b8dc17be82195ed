// A client of the cluster: one operation at a time. It records what it asked and what it was told; an operation whose
// replica dies has an unknown outcome.
import type { KvAnswer, KvResult } from "../kv/commands.js";
import type { ReplicaId } from "../paxos/ballot.js";
import { payloadKey } from "./ghost.js";
import { describeRequest, describeResponse } from "./history/describe.js";
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
const REFUSALS: ReadonlySet<string> = new Set(["OVERLOADED", "CLOSED", "UNAVAILABLE", "NO_SPACE"]);

export interface ClientOptions {
  readonly world: World;
  readonly id: number;
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
  #current: Current | null;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#current = null;
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

  /** Asks what runs on `host`, and records what comes of it; nothing while it still waits for an answer. */
  ask(host: Host, request: Request): void {
    this.#forgetLost();
    const { replica } = host;
    if (this.#current !== null || replica === null) return;
    const { world, history, id } = this.#options;
    const command = commandOf(request);
    const recorded: Recorded = {
      process: id,
      call: world.queue.now,
      return: Number.POSITIVE_INFINITY,
      request,
      outcome: { kind: "unknown" },
      payload: command === null ? "" : payloadKey(world.executions.encode(command)),
    };
    history.push(recorded);
    const current = { recorded, host, replica };
    this.#current = current;
    host.ask(1);
    if (world.options.trace !== undefined)
      world.tell(host.id, `client ${id} asks ${describeRequest(request)}`);
    const answered: Promise<KvResult | KvAnswer> =
      request.kind === "get"
        ? replica.read(queryOf(request), { local: request.local === true })
        : replica.propose(command!);
    answered.then(
      (told) => {
        const outcome = outcomeOf(told);
        if (outcome === null) world.reach("client told that the machine refuses");
        recorded.outcome = outcome ?? { kind: "failed" };
        recorded.return = world.queue.now;
        this.#tell(host.id, recorded);
        this.#ended(current);
      },
      (error: Error & { code?: string }) => {
        world.reach(`client told ${error.code ?? error.message}`);
        if (request.kind === "get" || REFUSALS.has(error.code ?? "")) {
          recorded.outcome = { kind: "failed" };
          recorded.return = world.queue.now;
        }
        this.#tell(host.id, recorded, error.code ?? error.message);
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
    if (host.replica === replica) host.ask(-1);
  }

  #tell(replica: ReplicaId, recorded: Recorded, code = ""): void {
    const { world, id } = this.#options;
    if (world.options.trace === undefined) return;
    const { outcome } = recorded;
    const what =
      outcome.kind === "ok" ? `revision ${outcome.revision}, ${describeResponse(outcome.response)}` : code;
    world.tell(replica, `client ${id} is told ${what}`);
  }
}
