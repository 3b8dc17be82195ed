// A store is closed when lmdb's threads have ended: else the process may die of what they still use.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openDatabase, threadsOf } from "./lmdb-database.js";
import { type NativeEnvironment, WriteThreads } from "./lmdb-threads.js";
import { ValueCopies } from "./lmdb-values.js";

test("all have ended when each has said its last word, and what lmdb is told goes on to it", async () => {
  const said: ((status: number) => unknown)[] = [];
  const environment: NativeEnvironment = { startWriting: (at, told) => at + said.push(told) };
  const threads = new WriteThreads(environment);
  await threads.allEnded();
  const told: number[] = [];
  const start = () => environment.startWriting(10, (status) => told.push(status) > 1);
  assert.deepEqual([start(), start()], [11, 12]);
  let isEnded = false;
  const ended = threads.allEnded().then(() => {
    isEnded = true;
  });
  const statuses: [number, number][] = [
    [0, 1],
    [1, 2],
    [1, 0],
    [0, 1],
  ];
  assert.deepEqual(
    statuses.map(([thread, status]) => said[thread]!(status)),
    [false, true, true, true],
  );
  await new Promise(setImmediate);
  assert.deepEqual([isEnded, threads.running], [false, 1]);
  // One that has failed.
  said[0]!(28);
  await ended;
  assert.deepEqual([told, threads.running], [[1, 2, 0, 1, 28], 0]);
});

test("one that could not be started is not waited for", async () => {
  const environment: NativeEnvironment = {
    startWriting: () => {
      throw new Error("The environment is already closed.");
    },
  };
  const threads = new WriteThreads(environment);
  assert.throws(() => environment.startWriting(0, () => {}), /already closed/);
  await threads.allEnded();
});

test("the threads of lmdb itself are counted", async () => {
  const directory = await mkdtemp(join(tmpdir(), "synod-lmdb-"));
  const database = openDatabase(directory, new ValueCopies());
  const threads = threadsOf(database);
  const written = database.put(Buffer.of(1), Buffer.of(1));
  // It begins in a turn to come; that it ended is told in one after that.
  for (let turns = 0; turns < 10 && threads.running === 0; turns += 1) await new Promise(setImmediate);
  assert.equal(threads.running, 1);
  await threads.allEnded();
  await written;
  assert.equal(threads.running, 0);
  await database.close();
  await rm(directory, { recursive: true });
});
