// Three members as processes, with a supervisor that starts again whichever dies; every process is ended by its id.
import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePort } from "../free-port.js";
import type { MemberPlan, Order, Report } from "./member.js";

const PROGRAM = fileURLToPath(new URL("./member.js", import.meta.url));
/** An order that takes longer has failed. */
const ORDER_MS = 6_000;

interface Waiter {
  resolve(value: string): void;
  reject(error: Error): void;
}

class Member {
  readonly plan: MemberPlan;
  process: ChildProcess | null;
  isStopping: boolean;
  /** What it, and its ends, had to say since they were last asked for. */
  said: string[];
  readonly waiting: Map<number, Waiter>;

  constructor(plan: MemberPlan) {
    this.plan = plan;
    this.process = null;
    this.isStopping = false;
    this.said = [];
    this.waiting = new Map();
  }

  launch(): void {
    this.isStopping = false;
    const child = fork(PROGRAM, [JSON.stringify(this.plan)], { stdio: ["ignore", "ignore", "pipe", "ipc"] });
    this.process = child;
    let complaint = "";
    child.stderr!.on("data", (chunk: Buffer) => {
      complaint = (complaint + chunk.toString()).slice(-1_000);
    });
    child.on("message", (report: Report) => this.#hear(report));
    child.on("exit", (status, signal) => {
      this.process = null;
      for (const { reject } of this.waiting.values()) reject(new Error("the member has ended"));
      this.waiting.clear();
      if (this.isStopping) return;
      this.said.push(`died of ${signal ?? `status ${status}: ${complaint}`}`);
      this.launch();
    });
  }

  #hear(report: Report): void {
    if (report.kind === "fault") this.said.push(report.text);
    if (report.kind !== "done" && report.kind !== "failed") return;
    const waiter = this.waiting.get(report.number);
    this.waiting.delete(report.number);
    if (report.kind === "done") waiter?.resolve(report.value);
    else waiter?.reject(new Error(`${report.name}: ${report.text}`));
  }
}

export class Members {
  readonly #folder: string;
  readonly #members: readonly Member[];
  #number: number;

  private constructor(folder: string, members: readonly Member[]) {
    this.#folder = folder;
    this.#members = members;
    this.#number = 0;
  }

  static async start(count: number): Promise<Members> {
    const folder = await mkdtemp(join(tmpdir(), "synod-bitflips-"));
    const ports: number[] = [];
    while (ports.length < count) {
      const port = await freePort();
      if (!ports.includes(port)) ports.push(port);
    }
    const members = ports.map((_, i) => {
      return new Member({ id: i + 1, dataDir: join(folder, `m${i + 1}`), ports });
    });
    for (const member of members) member.launch();
    return new Members(folder, members);
  }

  get ids(): readonly number[] {
    return this.#members.map(({ plan }) => plan.id);
  }

  storeOf(id: number): string {
    return join(this.#member(id).plan.dataDir, "store", "data.mdb");
  }

  #member(id: number): Member {
    return this.#members[id - 1]!;
  }

  order(id: number, order: Order): Promise<string> {
    const member = this.#member(id);
    const { process } = member;
    if (process?.connected !== true) return Promise.reject(new Error("the member is not there"));
    this.#number += 1;
    const number = this.#number;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        member.waiting.delete(number);
        reject(new Error("the order took too long"));
      }, ORDER_MS);
      const end = () => clearTimeout(timer);
      member.waiting.set(number, {
        resolve: (value) => {
          end();
          resolve(value);
        },
        reject: (error) => {
          end();
          reject(error);
        },
      });
      process.send({ number, order }, (error) => {
        if (error === null) return;
        end();
        reject(error);
      });
    });
  }

  /** What the member, and its ends, had to say since the last call. */
  said(id: number): string[] {
    const member = this.#member(id);
    const { said } = member;
    member.said = [];
    return said;
  }

  async stop(id: number): Promise<void> {
    const member = this.#member(id);
    const child = member.process;
    assert(child !== null, "the member runs");
    member.isStopping = true;
    const exit = once(child, "exit");
    try {
      await this.order(id, { kind: "stop" });
    } catch {
      // It met damage on the way out: however it ends, it ends.
      child.kill("SIGKILL");
    }
    await exit;
  }

  launch(id: number): void {
    this.#member(id).launch();
  }

  async close(): Promise<void> {
    for (const member of this.#members) {
      const child = member.process;
      member.isStopping = true;
      if (child === null) continue;
      const exit = once(child, "exit");
      child.kill("SIGKILL");
      await exit;
    }
    await rm(this.#folder, { recursive: true });
  }
}
