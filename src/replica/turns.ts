// The driver's turns: everything that waits is one turn, with one outbox and one disk write (design 3). Rules:
// `accept` leaves before the own write starts (P8); messages that speak for the disk leave in the order of their
// turns, each after the proof that its turn is synced (S13, A7).
import { empty } from "../base/empty.js";
import type { Ballot, ReplicaId, Slot } from "../paxos/ballot.js";
import type { Event } from "../paxos/event.js";
import type { ChosenEntry, Message } from "../paxos/message.js";
import { type Envelope, type LogRecord, type Notice, Outbox, type Synced } from "../paxos/outbox.js";
import type { Clock } from "./ports.js";

/** The protocol as the driver sees it: `Paxos`. */
export interface Core {
  step(event: Event, now: number, outbox: Outbox): void;
  endTurn(now: number, outbox: Outbox): void;
  readonly deadline: number;
  readonly leader: ReplicaId;
  readonly ballot: Ballot;
  readonly isLeading: boolean;
  readonly chosenUpTo: Slot;
  readonly promised: Ballot;
}

export interface TurnPorts {
  readonly core: Core;
  readonly log: {
    append(turn: number, promise: Ballot, records: readonly LogRecord[], urgent: boolean): void;
  };
  readonly network: { send(to: readonly ReplicaId[], message: Message): void };
  readonly clock: Clock;
  /** Where callers' wishes are taken from, in this order. */
  readonly requests: readonly { take(): readonly Event[] }[];
  onChosen(entries: readonly ChosenEntry[]): void;
  onNotice(notice: Notice): void;
  /** Called after every turn. */
  onTurn(): void;
  /** A failed assertion: of a turn in which the core failed nothing has left. */
  onBroken(error: Error): void;
}

export class Turns {
  readonly #ports: TurnPorts;
  #inbox: Event[];
  /** Takes turns with the inbox. */
  #emptyInbox: Event[];
  #isScheduled: boolean;
  #isStopped: boolean;
  /** Turns so far. */
  turn: number;
  /** Outboxes that wait for the disk, oldest first. */
  #unsynced: Outbox[];
  /** One that waited for nothing, for the next turn. */
  #spare: Outbox | null;
  /** The same function each time: there are many turns. */
  readonly #turnNow: () => void;

  constructor(ports: TurnPorts) {
    this.#ports = ports;
    this.#inbox = [];
    this.#emptyInbox = [];
    this.#isScheduled = false;
    this.#isStopped = false;
    this.turn = 0;
    this.#unsynced = [];
    this.#spare = null;
    this.#turnNow = () => {
      this.#isScheduled = false;
      if (this.#isStopped) return;
      try {
        this.#run();
      } catch (error) {
        this.#broken(error);
      }
    };
  }

  post(event: Event): void {
    this.#inbox.push(event);
    this.wake();
  }

  /** Something waits: there will be a turn, after everything else that is already due. */
  wake(): void {
    if (this.#isScheduled || this.#isStopped) return;
    this.#isScheduled = true;
    this.#ports.clock.soon(this.#turnNow);
  }

  /** Nothing is stepped and nothing leaves any more. */
  stop(): void {
    this.#isStopped = true;
    this.#inbox = [];
    this.#unsynced = [];
  }

  onSynced(proof: Synced): void {
    if (this.#isStopped) return;
    try {
      this.#release(proof);
    } catch (error) {
      this.#broken(error);
    }
    this.post({ kind: "synced", turn: proof.turn });
  }

  /** What a failed assertion throws ends the replica, not the process that it is embedded in. */
  #broken(error: unknown): void {
    this.#ports.onBroken(error instanceof Error ? error : new Error(String(error)));
  }

  #release(proof: Synced): void {
    while (this.#unsynced.length > 0 && this.#unsynced[0]!.turn <= proof.turn) {
      this.#sendAll(this.#unsynced[0]!.releaseAfterSync(proof));
      this.#unsynced.shift();
    }
  }

  #run(): void {
    const { core, log, clock, requests } = this.#ports;
    const events = this.#inbox;
    this.#inbox = this.#emptyInbox;
    this.#emptyInbox = events;
    this.turn += 1;
    const outbox = this.#spare ?? new Outbox(this.turn);
    outbox.begin(this.turn);
    this.#spare = null;
    const now = clock.now();
    this.#stepAll(events, now, outbox);
    empty(events);
    for (let i = 0; i < requests.length; i += 1) this.#stepAll(requests[i]!.take(), now, outbox);
    core.endTurn(now, outbox);
    this.#sendAll(outbox.sendNow);
    const waits = outbox.isUrgent || outbox.records.length > 0;
    if (waits) {
      this.#unsynced.push(outbox);
      log.append(outbox.turn, outbox.promise, outbox.records, outbox.isUrgent);
    }
    if (outbox.chosen.length > 0) this.#ports.onChosen(outbox.chosen);
    const { notices } = outbox;
    for (let i = 0; i < notices.length; i += 1) this.#ports.onNotice(notices[i]!);
    if (!waits) this.#spare = outbox;
    this.#ports.onTurn();
  }

  // Here and below by number, not `for ... of`: most lists of a turn are empty, and a turn is short.
  #stepAll(events: readonly Event[], now: number, outbox: Outbox): void {
    for (let i = 0; i < events.length; i += 1) this.#ports.core.step(events[i]!, now, outbox);
  }

  #sendAll(envelopes: readonly Envelope<Message>[]): void {
    for (let i = 0; i < envelopes.length; i += 1) {
      const { to, message } = envelopes[i]!;
      this.#ports.network.send(to, message);
    }
  }
}
