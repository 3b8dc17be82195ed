// Replicas of the key-value machine, in memory, with logs so small that who misses something needs a snapshot.
import { KvMachine } from "../../src/kv/machine.js";
import { MemoryMedium, MemoryRecordStore } from "../../src/kv/memory-record-store.js";
import { MemoryCluster } from "./memory-cluster.js";

/** `put(at, i)`: at replica `at`, of one of 50 keys, `bytes` long. */
export function kvCluster(replicas: number, bytes: number) {
  const c = new MemoryCluster({
    replicas,
    segmentBytes: 1 << 18,
    tailBytes: 0,
    machine: () => KvMachine.open(new MemoryRecordStore(new MemoryMedium())),
  });
  const put = (at: number, i: number) => {
    const value = Buffer.alloc(bytes, 65 + (i % 26));
    const request = { key: Buffer.from(`k${i % 50}`), value, lease: 0n, prevKv: false };
    return c.replica(at).propose({
      kind: "put",
      request: { ...request, ignoreValue: false, ignoreLease: false },
    });
  };
  return { c, put };
}
