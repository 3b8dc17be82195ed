// S4, the classic races of five servers: run in single decree, and again as the first slot of many.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Cluster } from "../cluster/cluster.js";

test("S4: two proposers race in five servers, and one value at most is ever chosen, however they are interleaved", () => {
  // Every order in which the accepts of two ballots reach three servers that promised both.
  for (let order = 0; order < 64; order += 1) {
    const cluster = new Cluster({ replicas: 5, autoSync: true });
    cluster.electBy(1, 2, 3);
    cluster.propose(1, "x");
    const first = [2, 3, 4].map((id) => cluster.hold(1, id, "accept")[0]!);
    for (const [at, accept] of first.entries()) if ((order & (1 << at)) !== 0) cluster.deliver(accept, true);
    cluster.flying = cluster.flying.filter(({ message }) => message.kind === "accepted");
    cluster.electBy(5, 3, 4);
    cluster.propose(5, "y");
    const second = [2, 3, 4].map((id) => cluster.hold(5, id, "accept")[0]!);
    for (const [at, accept] of second.entries()) if ((order & (8 << at)) !== 0) cluster.deliver(accept, true);
    for (const accept of first) cluster.deliver(accept, true);
    for (const { from, to, message } of cluster.flying.filter(
      (flying) => flying.message.kind === "accepted",
    )) {
      cluster.step(to, { kind: "message", from, message });
    }
    cluster.flying = [];
    assert.ok(cluster.run(10_000, () => cluster.ids.every((id) => cluster.hasExecuted(id, "y"))));
    for (const id of cluster.ids) assert.deepEqual(cluster.executedAt(id), cluster.executedAt(1));
  }
});

test("S4: the races are runnable scenarios", () => {
  const folder = join(import.meta.dirname, "..", "..", "..", "test", "scenarios");
  const races = readdirSync(folder).filter((name) => name.startsWith("five-servers-"));
  assert.deepEqual(races.sort(), [
    "five-servers-duel.txt",
    "five-servers-majority.txt",
    "five-servers-minority-found.txt",
    "five-servers-minority-lost.txt",
  ]);
});
