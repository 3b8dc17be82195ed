// Runs a scenario: commands in, a trace of what the replicas send, execute and answer out. One command a line;
// `quiet` before a command leaves its trace away. The words are those of docs/protocol.md.
import assert from "node:assert/strict";
import type { ReplicaId } from "../../src/paxos/ballot.js";
import { describeBallot } from "../../src/paxos/ballot.js";
import type { Message } from "../../src/paxos/message.js";
import { isNoop } from "../../src/paxos/value.js";
import { describeMessage, describeSlots, describeValue } from "../../src/sim/describe-message.js";
import { Cluster } from "./cluster.js";
import type { InFlight } from "./world.js";

interface Line {
  readonly key: string;
  readonly text: (to: string) => string;
  readonly to: ReplicaId[];
}

export class Script {
  #cluster: Cluster | null = null;
  #lines: Line[] = [];
  #heartbeats = false;
  readonly #held = new Map<string, InFlight[]>();

  get #world(): Cluster {
    assert(this.#cluster !== null, "a scenario begins with `replicas`");
    return this.#cluster;
  }

  /** Runs the commands and returns their trace. */
  run(commands: readonly string[]): string[] {
    this.#lines = [];
    for (const command of commands) {
      const isQuiet = command.startsWith("quiet ");
      const before = this.#lines.length;
      this.#command(isQuiet ? command.slice(6) : command);
      if (isQuiet) this.#lines.length = before;
    }
    return this.#lines.map((line) => line.text(line.to.join(" ")));
  }

  #say(text: string): void {
    this.#lines.push({ key: text, text: () => text, to: [] });
  }

  #command(command: string): void {
    const [verb = "", ...words] = command.match(/"[^"]*"|\S+/g) ?? [];
    const numbers = words.filter((word) => /^\d+$/.test(word)).map(Number);
    const first = numbers[0] ?? 0;
    switch (verb) {
      case "replicas":
        this.#begin(first, words);
        return;
      case "elect":
        if (words.includes("by")) this.#world.electBy(first, ...numbers.slice(1));
        else this.#world.elect(first);
        return;
      case "propose":
        this.#propose(first, words[1] ?? "");
        return;
      case "read":
        this.#world.read(first);
        return;
      case "deliver":
      case "drop":
      case "hold":
        this.#messages(verb, words);
        return;
      case "release":
        for (const flying of this.#held.get(words[0] ?? "") ?? []) this.#world.deliver(flying, true);
        return;
      case "sync":
        this.#world.sync(first);
        return;
      case "crash":
        this.#world.crash(first);
        return;
      case "restart":
        this.#world.restart(first);
        return;
      case "transfer":
        this.#world.step(first, { kind: "transfer", to: numbers[1] ?? 0 });
        return;
      default:
        this.#environment(verb, words, first);
    }
  }

  #environment(verb: string, words: readonly string[], first: number): void {
    switch (verb) {
      case "cut":
      case "close":
        for (const pair of words) {
          const [a = 0, b = 0] = pair.split("-").map(Number);
          this.#world.setLink(a, b, verb === "cut" ? "silent" : "closed");
        }
        return;
      case "island":
        this.#world.island(...words.map(Number));
        return;
      case "heal":
        this.#world.heal();
        return;
      case "tick":
        this.#world.run(first);
        return;
      case "until":
        this.#until(words);
        return;
      case "stabilize":
        this.#world.settle();
        return;
      case "heartbeats":
        this.#heartbeats = words[0] === "on";
        return;
      case "show":
        this.#show();
        return;
      default:
        assert.fail(`no such command: ${verb}`);
    }
  }

  #begin(replicas: number, words: readonly string[]): void {
    const cluster = new Cluster({ replicas, autoSync: words.includes("autosync") });
    this.#cluster = cluster;
    cluster.onMessage = (from, to, message, isAfterSync) => this.#onMessage(from, to, message, isAfterSync);
    cluster.onExecute = (id, { slot, value }) => {
      this.#say(`${id} executes ${slot} ${describeValue(value)}`);
    };
    cluster.onNotice = (id, notice) => {
      if (notice.kind === "leader" && notice.leader === id)
        this.#say(`${id} leads ${describeBallot(notice.ballot)}`);
      if (notice.kind === "readReady") this.#say(`${id} answers a read from slot ${notice.slot}`);
      if (notice.kind === "alarm") this.#say(`${id} alarm: ${notice.text}`);
    };
  }

  #onMessage(from: ReplicaId, to: ReplicaId, message: Message, isAfterSync: boolean): void {
    const isHeartbeat = message.kind === "heartbeat" || message.kind === "heartbeatAck";
    if (isHeartbeat && !this.#heartbeats) return;
    const isLost = this.#world.link(from, to) !== "up";
    const tail = `${describeMessage(message)}${isAfterSync ? " (after sync)" : ""}${isLost ? " (lost)" : ""}`;
    const key = `${from}>${tail}`;
    const last = this.#lines.at(-1);
    if (last !== undefined && last.key === key && !last.to.includes(to)) last.to.push(to);
    else this.#lines.push({ key, text: (targets) => `${from}>${targets} ${tail}`, to: [to] });
  }

  /** `propose 1 "x"`, or `propose 1 c1..134`: one command a slot, each chosen before the next. */
  #propose(id: ReplicaId, what: string): void {
    const range = /^(\w*?)(\d+)\.\.(\d+)$/.exec(what);
    if (range === null) {
      this.#world.propose(id, what.replaceAll('"', ""));
      return;
    }
    for (let i = Number(range[2]); i <= Number(range[3]); i += 1) {
      this.#world.propose(id, `${range[1]}${i}`);
      this.#world.settle();
    }
  }

  /** `deliver 1>2 accept`, `drop 1>3`, `hold 1>2 accept as late`. */
  #messages(verb: "deliver" | "drop" | "hold", words: readonly string[]): void {
    const [from = 0, to = 0] = (words[0] ?? "").split(">").map(Number);
    const kind = words[1] === "as" ? undefined : (words[1] as Message["kind"] | undefined);
    const name = words.indexOf("as") >= 0 ? words[words.indexOf("as") + 1] : undefined;
    const messages = this.#world.hold(from, to, kind);
    if (verb === "hold") this.#held.set(name ?? "", messages);
    if (verb === "deliver") for (const flying of messages) this.#world.deliver(flying, true);
  }

  /** `until 2 "x"`: time passes until replica 2 has executed x, 10 s at most; says how long it took, by half T. */
  #until(words: readonly string[]): void {
    const id = Number(words[0]);
    const text = (words[1] ?? "").replaceAll('"', "");
    const start = this.#world.now;
    assert(
      this.#world.run(10_000, () => this.#world.hasExecuted(id, text)),
      `${id} executes ${text} within 10 s`,
    );
    this.#say(`after less than ${Math.floor((this.#world.now - start) / 250) / 2 + 0.5} T`);
  }

  #show(): void {
    for (const id of this.#world.ids) {
      const { core, executed } = this.#world.replica(id);
      if (core === null) {
        this.#say(`${id} is down`);
        continue;
      }
      const entries = executed.map(({ slot, value }) => ({
        slot,
        text: isNoop(value) ? "noop" : describeValue(value),
      }));
      const shown = entries.slice(-6);
      const role = core.isLeading ? "leads" : "follows";
      this.#say(
        `${id} ${role}, promised ${describeBallot(core.promised)}, executed up to ${core.chosenUpTo}: [${entries.length > 6 ? "... " : ""}${describeSlots(shown)}]`,
      );
    }
  }
}
