// Settings by precedence, and what is to run for them.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { planServe, type ServePlan } from "./serve-plan.js";
import { type Environment, gatherSettings } from "./settings-sources.js";

function plan(flags: Record<string, string>, environment: Environment = {}): ServePlan {
  return planServe(gatherSettings(new Map(Object.entries(flags)), environment));
}

test("nothing given: a cluster of one on localhost, as etcd", () => {
  const one = plan({});
  assert.deepEqual(
    { ...one, members: one.members.map(({ name, peerUrl }) => `${name}=${peerUrl.text}`) },
    {
      ...{ name: "default", replica: 1, members: ["default=http://localhost:2380"], token: "synod-cluster" },
      dataDir: "default.synod",
      listenClientUrls: [{ text: "http://localhost:2379", host: "localhost", port: 2379 }],
      advertiseClientUrls: [{ text: "http://localhost:2379", host: "localhost", port: 2379 }],
      listenPeerUrl: { text: "http://localhost:2380", host: "localhost", port: 2380 },
      ...{ isExisting: false, heartbeatMs: 50, electionMs: 500, logLevel: "info", logFormat: null },
    },
  );
});

test("replica ids are the places of the names in order", () => {
  const cluster = "c=http://h3:2380, a=http://h1:2380,b=http://[::1]:2380/";
  const ids = ["a", "b", "c"].map((name) => plan({ name, "initial-cluster": cluster }).replica);
  assert.deepEqual(ids, [1, 2, 3]);
  const b = plan({ name: "b", "initial-cluster": cluster });
  assert.deepEqual(b.listenPeerUrl, { text: "http://[::1]:2380", host: "::1", port: 2380 });
  const apart = plan({ name: "b", "initial-cluster": cluster, "listen-peer-urls": "http://0.0.0.0:9" });
  assert.equal(apart.listenPeerUrl.text, "http://0.0.0.0:9");
});

test("a flag goes before the environment, that before the file, that before the default", () => {
  const directory = mkdtempSync(join(tmpdir(), "synod-settings-"));
  const file = join(directory, "synod.yaml");
  writeFileSync(
    file,
    `name: from-file
data-dir: file-dir
heartbeat-interval: 20
listen-client-urls: [http://h:1, "http://h:2"]
client-transport-security: { cert-file: "", auto-tls: false }
log-level:
`,
  );
  const environment = { SYNOD_NAME: "from-env", SYNOD_DATA_DIR: "env-dir", SYNOD_LOG_LEVEL: "" };
  const mixed = plan({ "config-file": file, name: "from-flag" }, environment);
  assert.deepEqual(
    [
      mixed.name,
      mixed.dataDir,
      mixed.heartbeatMs,
      mixed.logLevel,
      mixed.listenClientUrls.map(({ port }) => port),
    ],
    ["from-flag", "env-dir", 20, "info", [1, 2]],
  );
  assert.equal(plan({}, { SYNOD_CONFIG_FILE: file }).name, "from-file");
  rmSync(directory, { recursive: true });
});
