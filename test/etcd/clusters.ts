// A real etcd of three members and a Synod of three, each in a temporary directory of its own.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const PROGRAM = fileURLToPath(new URL("../../../bin/synod.js", import.meta.url));

/** Below the ports that the system gives away, so that no connection sits on one. */
const FIRST_PORT = 4379;
const PORT_STEP = 10_000;
const MEMBERS = [0, 1, 2];
const START_MS = 30_000;
const POLL_MS = 200;

export interface Cluster {
  /** The leader's first. */
  readonly endpoints: readonly string[];
  /** Ends every process of it and removes its data. */
  stop(): Promise<void>;
}

export async function startEtcd(): Promise<Cluster> {
  const directory = mkdtempSync(join(tmpdir(), "synod-test-etcd-"));
  const log = openSync(join(directory, "log"), "a");
  const ports = MEMBERS.map((i) => FIRST_PORT + i * PORT_STEP);
  const peer = (port: number): string => `http://127.0.0.1:${port + 1}`;
  const all = ports.map((port, i) => `replica-${i + 1}=${peer(port)}`).join(",");
  const processes = ports.map((port, i) => {
    const client = `http://127.0.0.1:${port}`;
    const args = [
      ...["--name", `replica-${i + 1}`, "--data-dir", join(directory, String(i))],
      ...["--listen-client-urls", client, "--advertise-client-urls", client],
      ...["--listen-peer-urls", peer(port), "--initial-advertise-peer-urls", peer(port)],
      ...["--initial-cluster", all],
    ];
    return spawn("etcd", args, { stdio: ["ignore", log, log] });
  });
  return started("etcd", processes, ports, directory);
}

export async function startSynod(): Promise<Cluster> {
  const directory = mkdtempSync(join(tmpdir(), "synod-test-synod-"));
  const log = openSync(join(directory, "log"), "a");
  const ports = MEMBERS.map((i) => FIRST_PORT + i * PORT_STEP);
  const args = [PROGRAM, "dev", "--data-dir", join(directory, "data"), "--log-level", "info"];
  const places = ["--client-port", String(FIRST_PORT), "--peer-port", String(FIRST_PORT + 1)];
  const dev = spawn(process.execPath, [...args, ...places], { stdio: ["ignore", log, log] });
  return started("Synod", [dev], ports, directory);
}

async function started(
  what: string,
  processes: readonly ChildProcess[],
  ports: readonly number[],
  directory: string,
): Promise<Cluster> {
  const stop = async (): Promise<void> => {
    await Promise.all(processes.map(ended));
    rmSync(directory, { recursive: true });
  };
  const endpoints = ports.map((port) => `127.0.0.1:${port}`);
  for (const end = Date.now() + START_MS; Date.now() < end; ) {
    const leader = await leaderOf(endpoints);
    if (leader !== null) return { endpoints: [leader, ...endpoints.filter((one) => one !== leader)], stop };
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  await Promise.all(processes.map(ended));
  throw new Error(`${what} did not serve within ${START_MS / 1000} s; its log is ${join(directory, "log")}`);
}

/** Null: not all of them answer yet, or they do not agree. */
async function leaderOf(endpoints: readonly string[]): Promise<string | null> {
  const args = [`--endpoints=${endpoints.join(",")}`, "--command-timeout=1s"];
  const health = await runEtcdctl([...args, "endpoint", "health"]);
  const status = await runEtcdctl([...args, "endpoint", "status"]);
  if (health.status !== 0 || status.status !== 0) return null;
  const rows = status.output.split("\n").filter((line) => line.startsWith("127.0.0.1:"));
  const leaders = rows.filter((row) => row.split(", ")[4] === "true").map((row) => row.split(",", 1)[0]!);
  return leaders.length === 1 && rows.length === endpoints.length ? leaders[0]! : null;
}

function ended(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    process.once("exit", () => resolve());
    process.kill("SIGTERM");
  });
}

export interface Ran {
  readonly status: number;
  /** Standard output, then standard error. */
  readonly output: string;
}

export function runEtcdctl(args: readonly string[], input = ""): Promise<Ran> {
  return run("etcdctl", args, input);
}

export function runSynod(args: readonly string[], input = ""): Promise<Ran> {
  return run(process.execPath, [PROGRAM, ...args], input);
}

function run(program: string, args: readonly string[], input: string): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const options = { env: { ...process.env, ETCDCTL_API: "3" }, maxBuffer: 2 ** 26 };
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      if (error && typeof error.code === "string") reject(error);
      else resolve({ status: Number(error?.code ?? 0), output: stdout + stderr });
    });
    child.stdin?.on("error", () => {}).end(input);
  });
}
