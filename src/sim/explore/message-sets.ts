// Sets of messages that replicas have sent, by number. A set only grows: what was sent may arrive at any later time,
// any number of times, or never.
import type { ReplicaId } from "../../paxos/ballot.js";
import type { Message } from "../../paxos/message.js";
import { describeMessage } from "../describe-message.js";
import { Interner, PairMap } from "./interner.js";
import type { Sent } from "./replica-life.js";

/** Replicas are counted from 0 here. */
interface Numbered {
  readonly from: number;
  readonly to: number;
  readonly message: Message;
}

interface MessageSet {
  readonly messages: readonly number[];
  /** The messages to each replica. */
  readonly to: readonly Int32Array[];
  /** To each replica: the number of the set of the promises in it. */
  readonly promises: readonly number[];
}

export class MessageSets {
  readonly #replicas: number;
  readonly #messages = new Interner<Numbered>();
  readonly #sets = new Interner<MessageSet>();
  readonly #promises = new Interner<null>();
  readonly #unions = new PairMap();
  readonly empty: number;

  constructor(replicas: number) {
    this.#replicas = replicas;
    this.empty = this.#set([]);
  }

  get messages(): number {
    return this.#messages.values.length;
  }

  get count(): number {
    return this.#sets.values.length;
  }

  message(number: number): Numbered {
    return this.#messages.values[number]!;
  }

  /** The number of the set of what replica `from` sends. */
  of(from: number, sent: readonly Sent[]): number {
    return this.#set(sent.map(({ to, message }) => this.number(from, to, message)));
  }

  /** The number of a message of replica `from` to the replica with the id `to`. */
  number(from: number, to: ReplicaId, message: Message): number {
    const key = `${from} ${to} ${describeMessage(message)}`;
    return this.#messages.id(key, () => ({ from, to: to - 1, message }));
  }

  union(a: number, b: number): number {
    let union = this.#unions.get(a, b);
    if (union < 0) {
      union = this.#set([...this.#sets.values[a]!.messages, ...this.#sets.values[b]!.messages]);
      this.#unions.set(a, b, union);
    }
    return union;
  }

  messagesTo(set: number, replica: number): Int32Array {
    return this.#sets.values[set]!.to[replica]!;
  }

  /** Equal for sets with the same promises to `replica`. */
  promisesTo(set: number, replica: number): number {
    return this.#sets.values[set]!.promises[replica]!;
  }

  #set(numbers: readonly number[]): number {
    const messages = [...new Set(numbers)].sort((a, b) => a - b);
    return this.#sets.id(messages.join(), () => {
      const to: Int32Array[] = [];
      const promises: number[] = [];
      for (let replica = 0; replica < this.#replicas; replica += 1) {
        const own = messages.filter((number) => this.message(number).to === replica);
        to.push(Int32Array.from(own));
        const promised = own.filter((number) => this.message(number).message.kind === "promise");
        promises.push(this.#promises.id(promised.join(), () => null));
      }
      return { messages, to, promises };
    });
  }
}
