// The record store in memory keeps the contract of record stores.
import { describe, test } from "node:test";
import { MemoryMedium, MemoryRecordStore } from "./memory-record-store.js";
import { type RecordStoreUnderTest, recordStoreContract } from "./record-store-contract.js";

async function make(): Promise<RecordStoreUnderTest> {
  const medium = new MemoryMedium();
  let current = new MemoryRecordStore(medium);
  const openAgain = async () => {
    current = new MemoryRecordStore(medium);
    return current;
  };
  return {
    store: current,
    async reopen() {
      await current.close();
      return openAgain();
    },
    async crash() {
      current.crash();
      return openAgain();
    },
    async damage({ main, sub }) {
      medium.damage(main, sub);
      return openAgain();
    },
    dispose: () => current.close(),
  };
}

describe("memory record store", () => {
  for (const one of recordStoreContract) test(one.name, () => one.run(make));
});
