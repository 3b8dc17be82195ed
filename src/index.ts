// Embedding: a replica of your own state machine, in your process. Joins the driver and Node.js.

import { parseAddress } from "./io/address.js";
import { NodeClock } from "./io/node-clock.js";
import { randomHex } from "./io/random-hex.js";
import { openStorage } from "./io/storage.js";
import { networkCounters, TcpNetwork } from "./io/tcp-network.js";
import type { StateMachine } from "./machine/machine.js";
import { defaultConfig } from "./paxos/genesis.js";
import { Paxos } from "./paxos/paxos.js";
import { type ProposeOptions, type ReadOptions, Replica } from "./replica/replica.js";
import type { Logger, ReplicaEvents, ReplicaStatus, StateSnapshot } from "./replica/status.js";

export { ListenError } from "./io/listen-error.js";
export { type ContractCase, type ContractSubject, machineContract } from "./machine/contract.js";
export { type JsonMachineOptions, jsonMachine } from "./machine/json-machine.js";
export { type DurableState, StateCorrupt, type StateMachine } from "./machine/machine.js";
export type { CancelSignal } from "./replica/cancel.js";
export {
  Closed,
  CommandRefused,
  NoSpace,
  OutcomeUnknown,
  Overloaded,
  Unavailable,
} from "./replica/errors.js";
export type { ProposeOptions, ReadOptions } from "./replica/replica.js";
export type { Logger, ReplicaEvents, ReplicaStatus, StateSnapshot } from "./replica/status.js";
export { DataDirectoryError } from "./wal/data-directory-error.js";

export interface CreateReplicaOptions<Command, Result, Query, Answer> {
  /** Which of `members` this process is. */
  readonly id: number;
  /** Every first replica of the cluster by its id, 1 to 65535, with the `host:port` where the others reach it. */
  readonly members: Readonly<Record<number, string>>;
  /** `host:port` to listen at; the own entry of `members`, unless given. */
  readonly listen?: string | undefined;
  /** A directory of this replica alone; made when it is not there. */
  readonly dataDir: string;
  /**
   * The state machine; or what opens it, called with the path of the data directory, which is locked then and this
   * replica's, and with what makes a sentence for the operator a `fault` of the replica.
   */
  readonly machine:
    | StateMachine<Command, Result, Query, Answer>
    | ((
        dataDir: string,
        tell: (fault: string) => void,
      ) =>
        | StateMachine<Command, Result, Query, Answer>
        | Promise<StateMachine<Command, Result, Query, Answer>>);
  /** Tells clusters apart; `synod` unless given. */
  readonly token?: string | undefined;
  /** Milliseconds between heartbeats of an idle leader; 50. */
  readonly heartbeatMs?: number | undefined;
  /** Milliseconds without a leader before another one is sought; 500, and no less than five heartbeats. */
  readonly electionMs?: number | undefined;
  /** Milliseconds after which a request is given up; 5000 and two election timeouts. */
  readonly requestTimeoutMs?: number | undefined;
  /** A pino logger fits; silent unless given. */
  readonly logger?: Logger | undefined;
}

/** A replica in this process. */
export interface EmbeddedReplica<Command, Result, Query, Answer> {
  /** Resolves when the disk is read and the replica listens; rejects with what is wrong with either. */
  started(): Promise<void>;
  /** Resolves when a leader is known, too: commands and reads are served. */
  ready(): Promise<void>;
  /** Resolves when the replica had to stop by itself, with the reason: end the process then. */
  readonly crashed: Promise<Error>;
  /**
   * Has a command chosen and executed, once, on every replica, and gives its result. Rejects with `CommandRefused` when
   * the machine threw, `NoSpace`, `Overloaded`, `Unavailable` or `Closed` when nothing was proposed, with what the
   * machine's `encode` throws, and with `OutcomeUnknown` when it was given up meanwhile: it may be executed or not.
   */
  propose(command: Command, options?: ProposeOptions): Promise<Result>;
  /**
   * Answers from a state that holds every command answered before the call. `local`: from the state here, whatever
   * it holds. Rejects with `Unavailable`, `Overloaded`, `Closed`, or what the machine's `query` throws.
   */
  read(query: Query, options?: ReadOptions): Promise<Answer>;
  /**
   * The state here as a snapshot file: of this moment, or a later one. Rejects with `Unavailable` when there is none to
   * be had now, and for a machine without a `durable` state, whose snapshots are files of its data directory.
   */
  snapshot(): Promise<StateSnapshot>;
  status(): ReplicaStatus;
  /** To `to`, or to whom it suits best; rejects with `Unavailable` when it does not lead, or nobody takes over. */
  transferLeadership(to?: number): Promise<void>;
  /** Hands leadership over, lets the own commands finish, makes the machine durable, and lets go of the directory. */
  close(): Promise<void>;
  on<Name extends keyof ReplicaEvents>(name: Name, listener: (event: ReplicaEvents[Name]) => void): this;
}

/** Starts a replica. Throws a `TypeError` for wrong options; everything else is told by what it returns. */
export function createReplica<Command, Result, Query, Answer>(
  options: CreateReplicaOptions<Command, Result, Query, Answer>,
): EmbeddedReplica<Command, Result, Query, Answer> {
  const { id, dataDir, machine, logger, heartbeatMs = 50, electionMs = 500 } = options;
  const { requestTimeoutMs = 5000 + 2 * electionMs } = options;
  const members = membersOf(options.members);
  const own = members.get(id);
  if (own === undefined) throw new TypeError(`members must name this replica, ${id}`);
  if (typeof dataDir !== "string" || dataDir === "") throw new TypeError("dataDir must be a path");
  if (typeof machine !== "function" && typeof machine?.apply !== "function") {
    throw new TypeError("machine must be a state machine, or a function that opens one");
  }
  for (const [name, value] of Object.entries({ heartbeatMs, electionMs, requestTimeoutMs })) {
    if (!(value >= 1) || !Number.isFinite(value))
      throw new TypeError(`${name} must be milliseconds, 1 or more`);
  }
  if (electionMs < 5 * heartbeatMs) throw new TypeError("electionMs must be five times heartbeatMs or more");
  const listen = parseAddress(options.listen ?? own, "listen");
  const addresses = new Map(
    [...members].map(([member, text]) => [member, parseAddress(text, `member ${member}`)]),
  );
  const counters = networkCounters();
  const replica = new Replica<Command, Result, Query, Answer>({
    id,
    cluster: defaultConfig(
      options.token ?? "synod",
      [...members].map(([member, address]) => ({ id: member, address })),
    ),
    openStorage: (prepare) =>
      openStorage(dataDir, typeof machine === "function" ? machine : () => machine, prepare),
    network: new TcpNetwork({ listen, members: addresses, counters }),
    clock: new NodeClock(),
    randomHex,
    makeCore: (core) => new Paxos(core),
    heartbeatMs,
    electionMs,
    requestTimeoutMs,
    logger,
    counters: () => ({ ...counters }),
  });
  replica.start();
  return replica;
}

function membersOf(members: Readonly<Record<number, string>>): ReadonlyMap<number, string> {
  const all = new Map<number, string>();
  for (const [key, address] of Object.entries(members ?? {})) {
    const id = Number(key);
    if (!Number.isInteger(id) || id < 1 || id > 65535) {
      throw new TypeError(`a replica id is 1 to 65535, not ${JSON.stringify(key)}`);
    }
    for (const [other, taken] of all) {
      if (taken === address) throw new TypeError(`members ${other} and ${id} have one address, ${address}`);
    }
    all.set(id, address);
  }
  return all;
}
