// What the store of this member says of itself: asked locally, for status and metrics must not wait for a quorum.
import type { KvAnswer } from "../kv/commands.js";
import type { KvReplica } from "./kv-replica.js";

export type StoreStatus = KvAnswer & { readonly kind: "status" };

export const NO_STORE_STATUS: StoreStatus = {
  kind: "status",
  revision: 0,
  compactRevision: 0,
  keys: 0,
  size: 0,
  sizeInUse: 0,
};

/** Null: the state here is shown to nobody, for it differs from that of the majority. */
export async function storeStatusOf(replica: KvReplica): Promise<StoreStatus | null> {
  try {
    const answer = await replica.read({ kind: "status" }, { local: true });
    if (answer.kind !== "status") throw new TypeError(`the machine answered status with ${answer.kind}`);
    return answer;
  } catch (error) {
    if (replica.status().isFenced) return null;
    throw error;
  }
}
