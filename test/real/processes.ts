// A cluster of real processes on this machine for tests and benchmarks: `synod serve`, killed and started at will.
// Data lies on a real disk under the system's temporary folder; every process is ended by its id.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePorts } from "../free-port.js";

const PROGRAM = join(dirname(fileURLToPath(import.meta.url)), "../../../bin/synod.js");
const READY_WITHIN_MS = 30_000;
const START_TRIES = 3;
/** What a member says that finds its port taken. */
const PORT_TAKEN = /EADDRINUSE/;

export interface ProcessesOptions {
  /** The folder is made in it. */
  readonly parent?: string;
  /** What is run with the flags of a server, `synod serve` or a program that takes the same. */
  readonly command?: readonly [string, ...string[]];
}

interface Member {
  readonly name: string;
  readonly clientPort: number;
  readonly peerPort: number;
  process: ChildProcess | null;
  output: string;
}

export class Processes {
  readonly members: readonly Member[];
  readonly #folder: string;
  readonly #command: readonly [string, ...string[]];

  private constructor(folder: string, command: readonly [string, ...string[]], members: readonly Member[]) {
    this.#folder = folder;
    this.#command = command;
    this.members = members;
  }

  /** Starts `count` replicas on free ports and waits until each serves. */
  static async start(count: number, options: ProcessesOptions = {}): Promise<Processes> {
    for (let left = START_TRIES; ; left -= 1) {
      try {
        return await Processes.#start(count, options);
      } catch (error) {
        // Nobody can keep a port for a process to come: another test may have taken it meanwhile.
        if (left <= 1 || !(error instanceof Error && PORT_TAKEN.test(error.message))) throw error;
      }
    }
  }

  static async #start(count: number, options: ProcessesOptions): Promise<Processes> {
    const { parent = tmpdir(), command = [process.execPath, PROGRAM, "serve"] } = options;
    const folder = await mkdtemp(join(parent, "synod-real-"));
    const first = await freePorts(Array.from({ length: 2 * count }, (_, i) => i));
    const members: Member[] = [];
    for (let i = 0; i < count; i += 1) {
      members.push({
        name: `r${i + 1}`,
        clientPort: first + 2 * i,
        peerPort: first + 2 * i + 1,
        process: null,
        output: "",
      });
    }
    const processes = new Processes(folder, command, members);
    try {
      for (let i = 0; i < count; i += 1) processes.launch(i);
      await processes.ready();
    } catch (error) {
      await processes.close();
      throw error;
    }
    return processes;
  }

  /** Where replica `i` keeps its data. */
  dataDir(i: number): string {
    return join(this.#folder, this.members[i]!.name);
  }

  endpoint(i: number): string {
    return `127.0.0.1:${this.members[i]!.clientPort}`;
  }

  get endpoints(): string[] {
    return this.members.map((_, i) => this.endpoint(i));
  }

  launch(i: number): void {
    const member = this.members[i]!;
    const url = (port: number): string => `http://127.0.0.1:${port}`;
    const cluster = this.members.map(({ name, peerPort }) => `${name}=${url(peerPort)}`).join(",");
    const args = [
      ...["--name", member.name, "--data-dir", join(this.#folder, member.name)],
      ...["--listen-client-urls", url(member.clientPort), "--advertise-client-urls", url(member.clientPort)],
      ...["--listen-peer-urls", url(member.peerPort), "--initial-advertise-peer-urls", url(member.peerPort)],
      ...["--initial-cluster", cluster],
    ];
    const [program, ...first] = this.#command;
    const child = spawn(program, [...first, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    member.process = child;
    const keep = (chunk: Buffer): void => {
      member.output = (member.output + chunk.toString()).slice(-20_000);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
  }

  /** Waits until every running replica answers a linearizable health check. */
  async ready(): Promise<void> {
    const end = Date.now() + READY_WITHIN_MS;
    for (const [i, member] of this.members.entries()) {
      while (member.process !== null && !(await isHealthy(this.endpoint(i)))) {
        const ended = this.members.find((each) => each.process !== null && each.process.exitCode !== null);
        if (ended !== undefined || Date.now() > end) {
          const outputs = this.members.map(({ name, output }) => `${name}:\n${output}`).join("\n");
          throw new Error(`${(ended ?? member).name} does not serve:\n${outputs}`);
        }
        await sleep(20);
      }
    }
  }

  /** Sends a signal; for one that ends the process, waits for the end. */
  async signal(i: number, signal: NodeJS.Signals): Promise<void> {
    const member = this.members[i]!;
    const child = member.process;
    if (child === null) throw new Error(`${member.name} is not running`);
    child.kill(signal);
    if (signal === "SIGSTOP" || signal === "SIGCONT") return;
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    member.process = null;
  }

  /** The index of the leader, as the replicas' metrics tell it; -1 when none says that it leads. */
  async leader(): Promise<number> {
    for (const [i, member] of this.members.entries()) {
      if (member.process === null) continue;
      const metrics = await this.metrics(i);
      if (/^etcd_server_is_leader(\{[^}]*\})? 1$/m.test(metrics)) return i;
    }
    return -1;
  }

  async findLeader(): Promise<number> {
    const end = Date.now() + READY_WITHIN_MS;
    for (;;) {
      const leader = await this.leader();
      if (leader >= 0) return leader;
      if (Date.now() > end) throw new Error("no replica leads");
      await sleep(20);
    }
  }

  /** Empty when there is no answer. */
  async metrics(i: number): Promise<string> {
    return (await get(`http://${this.endpoint(i)}/metrics`)) ?? "";
  }

  /** Resident memory of a replica in bytes. */
  async memory(i: number): Promise<number> {
    const metrics = await this.metrics(i);
    const found = /^process_resident_memory_bytes(?:\{[^}]*\})? ([\d.e+]+)$/m.exec(metrics);
    return found === null ? Number.NaN : Number(found[1]);
  }

  /** Ends every process, without waiting: for when there is no more time. */
  kill(): void {
    for (const member of this.members) member.process?.kill("SIGKILL");
  }

  async close(): Promise<void> {
    for (const [i, member] of this.members.entries()) {
      if (member.process !== null) await this.signal(i, "SIGKILL");
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function get(url: string): Promise<string | null> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
    return response.ok ? await response.text() : null;
  } catch {
    return null; // Not listening yet, or paused: the caller asks again.
  }
}

async function isHealthy(endpoint: string): Promise<boolean> {
  return (await get(`http://${endpoint}/health`)) !== null;
}

/** Ports below those that the system hands out, so that no outgoing connection takes one while a replica is down. */
