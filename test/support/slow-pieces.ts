// Pieces of snapshots that take their time, or do not come, between replicas of one process; all else is at once.
import type { MemoryHub } from "../../src/replica/memory-network.js";
import type { Network } from "../../src/replica/ports.js";
import type { VirtualClock } from "./virtual-clock.js";

/** To be called before the replicas start. A piece takes `ms`; who is in the set that it gives sends none. */
export function slowPieces(c: { readonly hub: MemoryHub; readonly clock: VirtualClock }, ms: number) {
  const silent = new Set<number>();
  const network = c.hub.network.bind(c.hub);
  c.hub.network = (id): Network => {
    const made = network(id);
    const send: Network["send"] = (to, message) => {
      const isOfSnapshot = message.kind === "snapshotChunk" || message.kind === "snapshotOffer";
      if (isOfSnapshot && silent.has(id)) return;
      if (message.kind !== "snapshotChunk") made.send(to, message);
      else c.clock.at(c.clock.now() + ms, () => made.send(to, message));
    };
    return { ...made, send };
  };
  return silent;
}
