// Does what a schedule says: lets its faults begin and its clients ask, each at its time, and knows what of it is
// still under way.
import { Random } from "../base/random.js";
import { faultNamed } from "./all-faults.js";
import type { Client } from "./client.js";
import type { EventQueue } from "./event-queue.js";
import type { FaultLine, OperationLine, Schedule } from "./schedule.js";
import type { World } from "./world.js";

export class Disturbance {
  readonly #world: World;
  readonly #schedule: Schedule;
  readonly #clients: readonly Client[];
  readonly #more: () => readonly OperationLine[];
  /** How often each kind of fault began. */
  readonly faults: Record<string, number>;
  #begun: number;
  /** What ends a fault that is under way. */
  readonly #undo: Set<() => void>;
  #isOver: boolean;
  #isForgotten: boolean;

  /** `more`: the operations after those of the schedule, asked for when the last of these has begun. */
  constructor(
    world: World,
    schedule: Schedule,
    clients: readonly Client[],
    more: () => readonly OperationLine[] = () => [],
  ) {
    this.#world = world;
    this.#schedule = schedule;
    this.#clients = clients;
    this.#more = more;
    this.faults = {};
    this.#begun = 0;
    this.#undo = new Set();
    this.#isOver = false;
    this.#isForgotten = false;
  }

  /** Faults that began, of all kinds. */
  get begun(): number {
    return this.#begun;
  }

  get kinds(): number {
    return Object.keys(this.faults).length;
  }

  start(): void {
    const { queue } = this.#world;
    const { faults, operations } = this.#schedule;
    this.#each(queue, faults, (line) => this.#strike(line));
    this.#each(queue, operations, (line) => this.#ask(line), this.#more);
  }

  /** No fault begins any more, and no client asks. */
  stop(): void {
    this.#isOver = true;
  }

  /** Faults that are under way end now. */
  endAll(): void {
    for (const undo of [...this.#undo]) undo();
  }

  /** Faults that are under way never end, nor does what they have yet to begin. */
  forget(): void {
    this.#isForgotten = true;
    this.#undo.clear();
  }

  /** One task at a time is in the queue, so that a long schedule does not make it slow. */
  #each<Line extends { readonly at: number }>(
    queue: EventQueue,
    lines: readonly Line[],
    play: (line: Line) => void,
    more: (() => readonly Line[]) | null = null,
    next = 0,
  ): void {
    const line = lines[next];
    if (line === undefined) {
      if (more !== null) this.#each(queue, more(), play);
      return;
    }
    queue.at(line.at, () => {
      if (this.#isOver) return;
      play(line);
      this.#each(queue, lines, play, more, next + 1);
    });
  }

  #strike({ fault: name, duration, seed }: FaultLine): void {
    const world = this.#world;
    const fault = faultNamed(name);
    if (fault === null) throw new Error(`no fault is named ${name}`);
    const begins = fault.begin({
      world,
      random: new Random(seed),
      duration,
      damageable: this.#schedule.damageable,
      later: (ms, task) => this.#later(ms, task),
    });
    if (!begins) return;
    this.#begun += 1;
    this.faults[name] = (this.faults[name] ?? 0) + 1;
    world.tell(0, `${name}, ${duration} ms`);
  }

  #later(ms: number, task: () => void): void {
    if (this.#isForgotten) return;
    const undo = () => {
      if (this.#undo.delete(undo)) task();
    };
    this.#undo.add(undo);
    this.#world.queue.after(ms, undo);
  }

  #ask({ client, replica, request }: OperationLine): void {
    const world = this.#world;
    const { length } = world.ids;
    for (let i = 0; i < length; i += 1) {
      const host = world.host(((replica - 1 + i) % length) + 1);
      if (host.isUp) {
        this.#clients[client - 1]!.ask(host, request);
        return;
      }
    }
  }
}
