// Serves chosen values from the log on disk to replicas that are behind (L4): one part at a time for each, for it asks
// for the next when it has this one.
import type { ReplicaId, Slot } from "../paxos/ballot.js";
import type { ChosenEntry } from "../paxos/message.js";
import type { Network } from "./ports.js";

/** Bytes of chosen values in one answer. */
const SERVE_BYTES = 1 << 20;

export interface LogServerPorts {
  readonly network: Pick<Network, "send">;
  readChosen(fromSlot: Slot, maxBytes: number): Promise<ChosenEntry[]>;
  onFault(text: string): void;
}

export class LogServer {
  readonly #ports: LogServerPorts;
  /** Replicas to which a part is on its way. */
  readonly #serving: Set<ReplicaId>;
  #isStopped: boolean;

  constructor(ports: LogServerPorts) {
    this.#ports = ports;
    this.#serving = new Set();
    this.#isStopped = false;
  }

  serve(to: ReplicaId, fromSlot: Slot): void {
    if (this.#serving.has(to)) return;
    this.#serving.add(to);
    this.#ports.readChosen(fromSlot, SERVE_BYTES).then(
      (entries) => {
        this.#serving.delete(to);
        if (entries.length > 0 && !this.#isStopped) {
          this.#ports.network.send([to], { kind: "learned", entries });
        }
      },
      (error: Error) => {
        this.#serving.delete(to);
        this.#ports.onFault(`the log cannot be read from slot ${fromSlot} on: ${error.message}`);
      },
    );
  }

  stop(): void {
    this.#isStopped = true;
  }
}
