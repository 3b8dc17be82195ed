// One replica as a real process on a lossy disk: launched, killed, launched again. When it ends by itself, the one who
// watches is told; its output over all lives is in a file.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "@grpc/grpc-js";
import type { Random } from "../../src/base/random.js";
import { connect } from "../real/unary.js";
import { BadSectors } from "./bad-sectors.js";
import { type Loss, losePower, settledJournal, type WatchedDirectory } from "./crash-image.js";
import { watchedEnvironment, watchedIn } from "./lossy-disk.js";

const SHOWN_OUTPUT = 3_000;

export interface MemberPlan {
  readonly name: string;
  readonly folder: string;
  /** The program `synod`. */
  readonly program: string;
  readonly library: string;
  readonly clientPort: number;
  readonly args: readonly string[];
}

export class Member {
  readonly plan: MemberPlan;
  readonly watched: WatchedDirectory;
  readonly badSectors: BadSectors;
  /** Null while no process runs. */
  client: Client | null;
  launches: number;
  #child: ChildProcess | null;
  #isReady: boolean;
  #isKilled: boolean;
  #launchedAt: number;
  /** Faults of the journal that were told. */
  #toldFaults: number;
  /** Called when the process has ended by itself, with how. */
  onEnded: (how: string) => void;
  /** Called with the milliseconds from the launch until it serves. */
  onReady: (ms: number) => void;

  constructor(plan: MemberPlan) {
    this.plan = plan;
    this.watched = watchedIn(plan.folder, plan.name);
    mkdirSync(this.watched.root);
    this.badSectors = new BadSectors(this.watched.bad);
    this.client = null;
    this.launches = 0;
    this.#child = null;
    this.#isReady = false;
    this.#isKilled = false;
    this.#launchedAt = 0;
    this.#toldFaults = 0;
    this.onEnded = () => {};
    this.onReady = () => {};
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  launch(faults: readonly string[]): void {
    const { program, args, library, clientPort } = this.plan;
    const env = watchedEnvironment(library, this.watched, faults);
    this.#append(`launched with ${faults.join(",") || "no faults"}\n`);
    const child = spawn(process.execPath, [program, "serve", ...args], {
      env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    this.launches += 1;
    this.#isKilled = false;
    this.#launchedAt = performance.now();
    child.stdout.on("data", (chunk: Buffer) => {
      this.#append(chunk.toString());
      if (!this.#isReady && this.#child === child && /^ready: /m.test(chunk.toString())) this.#ready();
    });
    child.stderr.on("data", (chunk: Buffer) => this.#append(chunk.toString()));
    child.once("exit", (status, signal) => this.#ended(`${signal ?? `status ${status}`}`));
    // Connections are not shared with those of the life before, which wait before they try again.
    this.client = connect(`127.0.0.1:${clientPort}`, {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.max_receive_message_length": -1,
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 200,
    });
  }

  #ready(): void {
    this.#isReady = true;
    this.onReady(performance.now() - this.#launchedAt);
  }

  #ended(how: string): void {
    this.#append(`ended: ${how}\n`);
    this.#child = null;
    this.#isReady = false;
    this.client?.close();
    this.client = null;
    if (!this.#isKilled) this.onEnded(how);
  }

  /** Kills the process, if there is one, and resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === null) return;
    this.#isKilled = true;
    child.kill("SIGKILL");
    await once(child, "exit");
  }

  /** At once and without waiting, for when this process ends. */
  killNow(): void {
    this.#isKilled = true;
    this.#child?.kill("SIGKILL");
  }

  /** Faults that struck since the last time, of a process that is dead. */
  newFaults(): string[] {
    const told = settledJournal(this.watched).flatMap((record) =>
      record.kind === "fault" ? [record.text] : [],
    );
    const fresh = told.slice(this.#toldFaults);
    this.#toldFaults = told.length;
    return fresh;
  }

  losePower(random: Random): Loss {
    this.#toldFaults = 0;
    const loss = losePower(this.watched, random);
    this.#append(`power lost: ${loss.sectors} sectors, ${loss.entries} entries\n`);
    return loss;
  }

  get #logPath(): string {
    return join(this.plan.folder, `${this.plan.name}.log`);
  }

  #append(text: string): void {
    appendFileSync(this.#logPath, text);
  }

  /** The end of what it wrote. */
  output(): string {
    return existsSync(this.#logPath) ? readFileSync(this.#logPath, "utf8").slice(-SHOWN_OUTPUT) : "";
  }
}
