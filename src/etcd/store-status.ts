// What the store of this member says of itself: asked locally, for status and metrics must not wait for a quorum.
import type { KvAnswer } from "../kv/commands.js";
import { Unavailable } from "../replica/errors.js";
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

/** Null: the state here is shown to nobody now; the alarms say why. */
export async function storeStatusOf(replica: KvReplica): Promise<StoreStatus | null> {
  try {
    const answer = await replica.read({ kind: "status" }, { local: true });
    if (answer.kind !== "status") throw new TypeError(`the machine answered status with ${answer.kind}`);
    return answer;
  } catch (error) {
    if (error instanceof Unavailable && !replica.status().isServing) return null;
    throw error;
  }
}
