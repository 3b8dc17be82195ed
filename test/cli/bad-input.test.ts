// What bad input to `synod serve` and `synod dev` gets: exit status, one sentence, and nothing on disk.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("../../../bin/synod.js", import.meta.url));

let directory = "";
const taken = createServer();
let takenPort = 0;
let freePort = 0;

before(async () => {
  directory = mkdtempSync(join(tmpdir(), "synod-bad-input-"));
  writeFileSync(join(directory, "unknown.yaml"), "name: a\nsnapshot: 1\n");
  writeFileSync(join(directory, "broken.yaml"), "name: [\n");
  writeFileSync(join(directory, "list.yaml"), "- name\n");
  writeFileSync(join(directory, "tls.yaml"), "client-transport-security:\n  cert-file: a\n");
  writeFileSync(join(directory, "file"), "");
  takenPort = await new Promise((resolve) => {
    taken.listen(0, "127.0.0.1", () => resolve((taken.address() as { port: number }).port));
  });
  freePort = await new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
});

after(() => {
  taken.close();
  rmSync(directory, { recursive: true });
});

interface Row {
  readonly args: string;
  readonly status: 1 | 2;
  readonly sentence: RegExp;
  readonly env?: Record<string, string>;
}

const CLUSTER = "a=http://127.0.0.1:1,b=http://127.0.0.1:2";

const ROWS: readonly Row[] = [
  { args: "serve --bogus", status: 2, sentence: /^unknown flag: --bogus$/ },
  { args: "serve -w json", status: 2, sentence: /^unknown flag: --write-out$/ },
  { args: "serve extra", status: 2, sentence: /^too many arguments for 'serve'/ },
  { args: "serve --name", status: 2, sentence: /^flag needs an argument: --name$/ },
  { args: "serve --name a=b", status: 2, sentence: /^--name: "a=b" cannot be a name; leave out commas/ },
  { args: "serve", env: { SYNOD_NAME: "a,b" }, status: 2, sentence: /^SYNOD_NAME: "a,b" cannot be a name/ },
  { args: "serve --listen-client-urls here", status: 2, sentence: /^--listen-client-urls: "here" is no URL/ },
  { args: "serve --listen-client-urls http://a:99999", status: 2, sentence: /a port up to 65535$/ },
  { args: "serve --listen-client-urls http://a:1/x", status: 2, sentence: /"http:\/\/a:1\/x" is no URL/ },
  {
    args: "serve --listen-client-urls https://a:1",
    status: 2,
    sentence: /https:\/\/a:1: TLS is not built yet/,
  },
  {
    args: "serve --listen-client-urls http://0.0.0.0:1",
    status: 2,
    sentence: /give --advertise-client-urls$/,
  },
  {
    args: "serve --listen-peer-urls http://[::]:1",
    status: 2,
    sentence: /give --initial-advertise-peer-urls$/,
  },
  { args: "serve --cert-file a", status: 2, sentence: /^--cert-file: TLS is not built yet; leave it out/ },
  { args: "serve --peer-auto-tls", status: 2, sentence: /^--peer-auto-tls: TLS is not built yet/ },
  {
    args: "serve",
    env: { SYNOD_KEY_FILE: "a" },
    status: 2,
    sentence: /^SYNOD_KEY_FILE: TLS is not built yet/,
  },
  {
    args: `serve --initial-cluster ${CLUSTER}`,
    status: 2,
    sentence:
      /^--initial-cluster names a, b but not "default", this member; add it there or give another --name$/,
  },
  {
    args: "serve --name a --initial-cluster a=http://127.0.0.1:1,a=http://127.0.0.1:2",
    status: 2,
    sentence: /^--initial-cluster names "a" twice; give each member a name of its own$/,
  },
  {
    args: "serve --name a --initial-cluster a=http://127.0.0.1:1,b=http://127.0.0.1:1",
    status: 2,
    sentence:
      /^--initial-cluster gives a and b one URL, http:\/\/127.0.0.1:1; give each member a URL of its own$/,
  },
  {
    args: "serve --initial-cluster a",
    status: 2,
    sentence: /^--initial-cluster: "a" is no member; write name=/,
  },
  {
    args: `serve --name a --initial-cluster ${CLUSTER} --initial-advertise-peer-urls http://127.0.0.1:3`,
    status: 2,
    sentence:
      /has a at http:\/\/127.0.0.1:1, but --initial-advertise-peer-urls says .*; make the two the same$/,
  },
  {
    args: "serve --initial-cluster-state old",
    status: 2,
    sentence: /"old" is no state; give new or existing$/,
  },
  {
    args: "serve --heartbeat-interval x",
    status: 2,
    sentence: /^--heartbeat-interval: "x" is no time; give/,
  },
  {
    args: "serve --election-timeout 100",
    status: 2,
    sentence: /^--election-timeout is 100 ms; make it at least/,
  },
  {
    args: "serve --log-level loud",
    status: 2,
    sentence: /"loud" is no level; give one of debug, info, warn/,
  },
  {
    args: "serve --config-file unknown.yaml",
    status: 2,
    sentence: /^snapshot in unknown.yaml: there is no such/,
  },
  { args: "serve --config-file broken.yaml", status: 2, sentence: /^--config-file broken.yaml is no YAML: / },
  {
    args: "serve --config-file list.yaml",
    status: 2,
    sentence: /^--config-file list.yaml: it must hold settings/,
  },
  {
    args: "serve --config-file tls.yaml",
    status: 2,
    sentence: /^client-transport-security in tls.yaml: TLS is/,
  },
  {
    args: "serve --config-file none.yaml",
    status: 1,
    sentence: /^--config-file none.yaml cannot be read: ENOENT/,
  },
  {
    args: "serve --listen-client-urls http://127.0.0.1:TAKEN",
    status: 1,
    sentence:
      /^cannot listen for clients at 127.0.0.1:\d+ \(EADDRINUSE\): another process uses the port: stop it/,
  },
  {
    args: "serve --listen-client-urls http://127.0.0.1:FREE --listen-peer-urls http://127.0.0.1:TAKEN",
    status: 1,
    sentence: /^cannot listen for members at 127.0.0.1:\d+ \(EADDRINUSE\)/,
  },
  {
    args: "serve --listen-client-urls http://127.0.0.1:FREE --listen-peer-urls http://127.0.0.1:FREE",
    status: 2,
    sentence: /is to serve both clients and members; give --listen-client-urls another port$/,
  },
  {
    args: "dev --replicas 8",
    status: 2,
    sentence: /^--client-port 2379: replica 8 would listen at 72379, and/,
  },
  {
    args: "dev --peer-port 60000",
    status: 2,
    sentence: /^--peer-port 60000: replica 3 would listen at 80000/,
  },
  { args: "dev --replicas 0", status: 2, sentence: /^--replicas 0: a cluster has at least one replica$/ },
  { args: "dev --replicas three", status: 2, sentence: /^invalid argument "three" for "--replicas" flag/ },
  {
    args: "dev --peer-port 12379",
    status: 2,
    sentence: /^--client-port 2379 and --peer-port 12379 would meet/,
  },
  { args: "dev --endpoints a:1", status: 2, sentence: /^unknown flag: --endpoints$/ },
  {
    args: "dev --replicas 1 --client-port TAKEN",
    status: 1,
    sentence: /^cannot listen for clients at .*EADDRINUSE/,
  },
];

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: readonly string[], env: Record<string, string>): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [PROGRAM, ...args], {
      cwd: directory,
      env: { ...process.env, ...env },
    });
    const parts = { stdout: "", stderr: "" };
    child.stdout.on("data", (chunk) => {
      parts.stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      parts.stderr += chunk;
    });
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, ...parts }));
  });
}

describe("bad input", { concurrency: 4 }, () => {
  for (const { args, status, sentence, env = {} } of ROWS) {
    test(`synod ${args}${env.SYNOD_NAME ?? ""}`, async () => {
      const before = readdirSync(directory);
      const words = args
        .replaceAll("TAKEN", String(takenPort))
        .replaceAll("FREE", String(freePort))
        .split(" ");
      const ended = await run(words, env);
      const [line, usage, ...rest] = ended.stderr.split("\n");
      assert.match(line!, /^Error: /);
      assert.match(line!.replace(/^Error: /, ""), sentence);
      assert.equal(ended.stdout, "");
      assert.equal(usage, status === 2 ? `Usage: synod ${words[0]} [options]` : "");
      assert.deepEqual(
        rest.filter((more) => more !== ""),
        [],
      );
      assert.equal(ended.status, status);
      assert.deepEqual(readdirSync(directory), before);
    });
  }
});
