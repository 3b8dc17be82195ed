// What today's readers make of a data directory, as text: everything that it holds.

import { decodeGenesis } from "../../src/paxos/genesis.js";
import { SnapshotFiles } from "../../src/replica/snapshot-files.js";
import { DataDirectory } from "../../src/wal/identity.js";
import type { MemoryDisk } from "../../src/wal/memory-disk.js";
import { readPromises } from "../../src/wal/promise-file.js";
import { Wal } from "../../src/wal/wal.js";
import { VirtualClock } from "../support/virtual-clock.js";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Changes nothing on `disk`, but works on a copy of it. */
export async function readDirectory(disk: MemoryDisk): Promise<string> {
  const copy = disk.copy();
  const found: unknown[] = [];
  const identity = JSON.parse(text(copy.bytesOf("identity")).split("\n")[0]!) as {
    clusterId: string;
    replica: number;
  };
  found.push({ identity });
  for (const promise of await readPromises(copy, copy.names())) found.push({ promise });
  const directory = await DataDirectory.open(copy, {
    clusterId: identity.clusterId,
    replica: identity.replica,
    randomHex: () => "",
  });
  found.push({ genesis: directory.genesis === null ? null : decodeGenesis(directory.genesis) });
  const snapshots = await SnapshotFiles.open(copy);
  for (const info of snapshots.all) {
    await snapshots.verify(info);
    const { meta, chunks } = await snapshots.load(info);
    let state = "";
    for await (const chunk of chunks) state += text(chunk);
    found.push({ snapshot: { ...info, meta: hex(meta), state } });
  }
  found.push(...(await readLog(copy, snapshots.newest?.slot ?? 0)));
  return `${found.map((one) => JSON.stringify(one)).join("\n")}\n`;
}

async function readLog(disk: MemoryDisk, appliedUpTo: number): Promise<unknown[]> {
  const clock = new VirtualClock();
  const opening = Wal.open(disk, {
    appliedUpTo,
    clock,
    segmentBytes: 4096,
    onSynced: () => {},
    onFailed: (error) => {
      throw error;
    },
  });
  const { wal, recovered } = await clock.settle(opening);
  const { accepted, learned, ...facts } = recovered;
  const chosen = await clock.settle(wal.readChosen(recovered.compactedUpTo + 1, 1 << 20));
  await clock.settle(wal.close());
  return [
    { log: facts },
    ...chosen.map(({ slot, value }) => ({ chosen: slot, value: hex(value) })),
    ...learned.map(({ slot, value }) => ({ learned: slot, value: hex(value) })),
    ...accepted.map(({ slot, ballot, value }) => ({ accepted: slot, ballot, value: hex(value) })),
  ];
}
