// Flips single bits in the store's file of a member that is stopped, or that runs, and asks it for everything: it may
// fail, or end, and must then serve again by itself; a wrong answer it must never give.
import { open, stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "../../src/base/random.js";
import { Members } from "./members.js";

const KEYS = 250;
/** A member that does not serve again within it is counted as refused. */
const SERVES_WITHIN_MS = 30_000;
/** Of a hundred flips so many hit the two first pages, on which everything else hangs. */
const META_PERCENT = 8;
const META_BYTES = 200;

export interface FlipCounts {
  flips: number;
  /** Nothing was noticed, and everything was right. */
  nothing: number;
  /** The store was set aside, and rebuilt. */
  repaired: number;
  /** It did not serve again by itself. */
  refused: number;
  wrong: number;
  /** Processes that the damage ended. */
  deaths: number;
}

export class Flips {
  readonly counts: FlipCounts;
  readonly #members: Members;
  readonly #random: Random;
  /** Every value that a key may have had, in the order of the puts. */
  readonly #history: Map<string, string[]>;
  /** Where in it the last put is that was answered: later ones may have happened or not. */
  readonly #answered: Map<string, number>;
  /** What was wrong, or refused, for people. */
  readonly complaints: string[];
  /** What members died of. */
  readonly ends: string[];
  #number: number;

  private constructor(members: Members, seed: number) {
    this.counts = { flips: 0, nothing: 0, repaired: 0, refused: 0, wrong: 0, deaths: 0 };
    this.#members = members;
    this.#random = new Random(seed);
    this.#history = new Map();
    this.#answered = new Map();
    this.complaints = [];
    this.ends = [];
    this.#number = 0;
  }

  /** A cluster with many keys, of which no log has the first commands any more. */
  static async start(seed: number): Promise<Flips> {
    const flips = new Flips(await Members.start(3), seed);
    await flips.#until(() => flips.#put(1, "key-0"));
    for (let i = 0; i < 3 * KEYS; i += 20) {
      const keys = Array.from({ length: 20 }, (_, j) => `key-${(i + j) % KEYS}`);
      await Promise.all(keys.map((key) => flips.#put(1, key)));
    }
    return flips;
  }

  async close(): Promise<void> {
    await this.#members.close();
  }

  async flip(): Promise<void> {
    const { counts } = this;
    const victim = 1 + this.#random.below(3);
    const isRunning = counts.flips % 2 === 1;
    for (let i = 0; i < 3; i += 1) await this.#until(() => this.#put(1 + (victim % 3), this.#someKey()));
    this.#members.said(victim);
    if (!isRunning) await this.#members.stop(victim);
    const place = await this.#flipBit(this.#members.storeOf(victim));
    if (!isRunning) this.#members.launch(victim);
    const isServed = await this.#until(() => this.#checkAll(victim));
    const said = this.#members.said(victim);
    counts.flips += 1;
    const ends = said.filter((text) => text.startsWith("died"));
    counts.deaths += ends.length;
    for (const end of ends) this.ends.push(`flip ${counts.flips} (${place}): replica ${victim} ${end}`);
    if (!isServed) {
      counts.refused += 1;
      this.complaints.push(
        `flip ${counts.flips} (${place}): replica ${victim} serves no more: ${said.join("; ")}`,
      );
    } else if (ends.length > 0 || said.some((text) => text.startsWith("the store was damaged"))) {
      counts.repaired += 1;
    } else {
      counts.nothing += 1;
    }
  }

  async #flipBit(path: string): Promise<string> {
    const { size } = await stat(path);
    const isMeta = this.#random.below(100) < META_PERCENT;
    const at = isMeta
      ? 4096 * this.#random.below(2) + this.#random.below(META_BYTES)
      : this.#random.below(size);
    const bit = this.#random.below(8);
    const file = await open(path, "r+");
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, at);
    byte[0]! ^= 1 << bit;
    await file.write(byte, 0, 1, at);
    await file.sync();
    await file.close();
    return `bit ${bit} of byte ${at}`;
  }

  #someKey(): string {
    return `key-${this.#random.below(KEYS)}`;
  }

  async #put(id: number, key: string): Promise<boolean> {
    this.#number += 1;
    const value = `${this.#number} `.padEnd(150 + this.#random.below(300), "x");
    const values = this.#history.get(key) ?? [];
    this.#history.set(key, [...values, value]);
    try {
      await this.#members.order(id, { kind: "put", key, value });
      this.#answered.set(key, values.length);
      return true;
    } catch {
      // It may be there or not.
      return false;
    }
  }

  /** Whether `action` came true in time; it is repeated until it does. */
  async #until(action: () => Promise<boolean>): Promise<boolean> {
    const end = performance.now() + SERVES_WITHIN_MS;
    while (performance.now() < end) {
      if (await action()) return true;
      await sleep(30);
    }
    return false;
  }

  /** Whether everything was answered, and a command executed. */
  async #checkAll(id: number): Promise<boolean> {
    const others = this.#members.ids.filter((other) => other !== id);
    try {
      for (let i = 0; i < 10; i += 1) await this.#checkOne(id, this.#someKey(), i % 2 === 0);
      const [own, other] = await Promise.all([
        this.#members.order(id, { kind: "all" }),
        this.#members.order(others[0]!, { kind: "all" }),
      ]);
      if (own !== other) this.#wrong(id, "its keys and values are not those of another replica");
      for (const line of own.split("\n")) this.#checkLine(id, line, false);
      const hashes = await Promise.all(
        [id, others[0]!].map((one) => this.#members.order(one, { kind: "hash" })),
      );
      if (hashes[0] !== hashes[1]) this.#wrong(id, `its state is ${hashes[0]}, that of another ${hashes[1]}`);
      return await this.#put(id, this.#someKey());
    } catch {
      // Not answered is not wrong: it is asked again.
      return false;
    }
  }

  async #checkOne(id: number, key: string, local: boolean): Promise<void> {
    const line = await this.#members.order(id, { kind: "get", key, local });
    if (line === "") this.#wrong(id, `${key} is not there`);
    else this.#checkLine(id, line, local);
  }

  /** A local read may be behind, and a put that was not answered may have happened. */
  #checkLine(id: number, line: string, isOld: boolean): void {
    const [key, ...rest] = line.split(" ");
    const values = this.#history.get(key!) ?? [];
    const at = values.indexOf(rest.join(" "));
    if (at < 0) this.#wrong(id, `${key} has a value that nobody put`);
    else if (!isOld && at < this.#answered.get(key!)!) this.#wrong(id, `${key} has an old value`);
  }

  #wrong(id: number, text: string): void {
    this.counts.wrong += 1;
    this.complaints.push(`flip ${this.counts.flips + 1}: replica ${id} answered wrongly: ${text}`);
  }
}
