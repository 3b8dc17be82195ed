// Puts of unique values under keys used once, many at a time, at every replica that runs; and what clients were told of
// each: acknowledged at a revision, or unknown. Some are read back at once, at any replica.
import type { Client } from "@grpc/grpc-js";
import type { Random } from "../../src/base/random.js";
import { sleep } from "../real/processes.js";
import { put, range } from "../real/unary.js";
import type { Member } from "./member.js";

const LOOPS_PER_MEMBER = 16;
const READ_EVERY = 20;
/** Between the writes of a loop when there were enough: they go on, and leave time to those that start. */
const PAUSE_MS = 40;
/** A few values are longer than a sector, few are longer than a page. */
const LENGTHS = [0, 0, 40, 40, 100, 200, 900, 5_000];

export const keyOf = (cycle: number, number: number): string =>
  `c${String(cycle).padStart(6, "0")}/${String(number).padStart(6, "0")}`;

/** The only value ever put under a key. */
export function valueUnder(key: string): string {
  const number = Number(key.slice(-6)) + Number(key.slice(1, 7));
  return `value of ${key}${".".repeat(LENGTHS[number % LENGTHS.length]!)}`;
}

export const WRITES_PER_CYCLE = 500;

export class Load {
  readonly #members: readonly Member[];
  readonly #random: Random;
  /** Key and revision. */
  readonly acknowledged: Map<string, number>;
  readonly unknown: Set<string>;
  readonly #onWrong: (sentence: string) => void;
  #highestRevision: number;
  #cycle: number;
  #number: number;
  #acknowledgedInCycle: number;
  #isRunning: boolean;
  #loops: Promise<void>[];

  constructor(members: readonly Member[], random: Random, onWrong: (sentence: string) => void) {
    this.#members = members;
    this.#random = random;
    this.acknowledged = new Map();
    this.unknown = new Set();
    this.#onWrong = onWrong;
    this.#highestRevision = 0;
    this.#cycle = 0;
    this.#number = 0;
    this.#acknowledgedInCycle = 0;
    this.#isRunning = false;
    this.#loops = [];
  }

  get inCycle(): number {
    return this.#acknowledgedInCycle;
  }

  get highestRevision(): number {
    return this.#highestRevision;
  }

  begin(cycle: number): void {
    this.#cycle = cycle;
    this.#number = 0;
    this.#acknowledgedInCycle = 0;
    this.#isRunning = true;
    for (const member of this.#members) {
      for (let i = 0; i < LOOPS_PER_MEMBER; i += 1) this.#loops.push(this.#write(member));
    }
  }

  /** Resolves when all that was asked is answered. */
  async end(): Promise<void> {
    this.#isRunning = false;
    await Promise.all(this.#loops);
    this.#loops = [];
  }

  async #write(member: Member): Promise<void> {
    while (this.#isRunning) {
      const { client } = member;
      if (client === null || !member.isReady) {
        await sleep(5);
        continue;
      }
      this.#number += 1;
      const key = keyOf(this.#cycle, this.#number);
      const revision = await this.#put(client, key);
      if (revision === null) {
        this.unknown.add(key);
        await sleep(5);
        continue;
      }
      this.acknowledged.set(key, revision);
      this.#acknowledgedInCycle += 1;
      this.#highestRevision = Math.max(this.#highestRevision, revision);
      if (this.acknowledged.size % READ_EVERY === 0) await this.#read(key, revision);
      if (this.#acknowledgedInCycle > WRITES_PER_CYCLE) await sleep(PAUSE_MS);
    }
  }

  /** Null: the outcome is unknown. */
  async #put(client: Client, key: string): Promise<number | null> {
    try {
      const { header } = await put(client, key, Buffer.from(valueUnder(key)));
      return Number(header!.revision);
    } catch (error) {
      if (isOfCall(error)) return null;
      throw error;
    }
  }

  /** What was acknowledged must be seen at once, wherever it is read. */
  async #read(key: string, revision: number): Promise<void> {
    const running = this.#members.filter(({ isReady }) => isReady);
    const member = running[this.#random.below(Math.max(1, running.length))];
    const client = member?.client;
    if (client === null || client === undefined) return;
    try {
      const { kvs } = await range(client, key);
      const found = kvs[0] === undefined ? "nothing" : `revision ${kvs[0].modRevision}`;
      if (found !== `revision ${revision}`) {
        this.#onWrong(
          `${kvs[0] === undefined ? "lost: " : ""}${key} was acknowledged at revision ${revision}; read after that at ${member!.plan.name}: ${found}`,
        );
      }
    } catch (error) {
      if (!isOfCall(error)) throw error;
    }
  }
}

/** An error that a call ended with has a status of gRPC. */
export function isOfCall(error: unknown): boolean {
  return typeof (error as { code?: unknown }).code === "number";
}
