// /metrics in Prometheus' format: etcd's names where they are true here, so that its dashboards work, the process,
// gRPC calls, and `synod_*` for the rest. Everything is read when it is scraped: a call costs no metric.
import { Counter, Gauge, Registry } from "prom-client";
import type { Admission } from "./admission.js";
import type { Dispatch, MethodCounts } from "./dispatch.js";
import { Code } from "./errors.js";
import { type Delays, EventLoopDelay, NO_DELAYS } from "./event-loop-delay.js";
import type { KvReplica } from "./kv-replica.js";
import type { ProposalCounts } from "./kv-service.js";
import type { PortCounts } from "./port.js";
import { addProcessMetrics } from "./process-metrics.js";
import { NO_STORE_STATUS, type StoreStatus, storeStatusOf } from "./store-status.js";
import { API_VERSION, packageVersion } from "./version.js";

export interface MetricSources {
  readonly name: string;
  readonly memberId: bigint;
  readonly replica: KvReplica;
  readonly dispatch: Dispatch;
  readonly admission: Admission;
  readonly proposals: ProposalCounts;
  readonly port: PortCounts;
}

export class Metrics {
  readonly #registry: Registry;
  readonly #sources: MetricSources;
  readonly #replicaCounters: Map<string, Counter>;
  readonly #eventLoop: EventLoopDelay;
  #leaderChanges: number;
  /** As it was at the last scrape. */
  #store: StoreStatus;
  /** Between the last two scrapes. */
  #delays: Delays;

  constructor(sources: MetricSources) {
    this.#registry = new Registry();
    this.#sources = sources;
    this.#replicaCounters = new Map();
    this.#leaderChanges = 0;
    this.#store = NO_STORE_STATUS;
    this.#eventLoop = new EventLoopDelay();
    this.#delays = NO_DELAYS;
    let leader = sources.replica.status().leader;
    sources.replica.on("leader", (event) => {
      // As etcd counts: a leader that was lost and found again, or another one, is one change.
      if (event.leader !== 0 && event.leader !== leader) this.#leaderChanges += 1;
      leader = event.leader;
    });
    addProcessMetrics(this.#registry);
    this.#addEventLoop();
    this.#addServer();
    this.#addStore();
    this.#addCalls();
    this.#addBorder();
  }

  async text(): Promise<{ readonly text: string; readonly contentType: string }> {
    const { replica } = this.#sources;
    this.#store = (await storeStatusOf(replica)) ?? this.#store;
    this.#delays = this.#eventLoop.take();
    for (const [name, value] of Object.entries(replica.status().counters)) {
      this.#replicaCounter(name, value);
    }
    return { text: await this.#registry.metrics(), contentType: this.#registry.contentType };
  }

  close(): void {
    this.#eventLoop.close();
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.set(read());
      },
    });
  }

  #counter(name: string, help: string, read: () => number): void {
    new Counter({
      name,
      help,
      registers: [this.#registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }

  /** The library's names; it counts its own 10 ms as delay. */
  #addEventLoop(): void {
    for (const field of Object.keys(NO_DELAYS) as (keyof Delays)[]) {
      const name = `nodejs_eventloop_lag_${field}_seconds`;
      const help = `Delay of the event loop since the last scrape, by whomever: ${field}.`;
      this.#gauge(name, help, () => this.#delays[field]);
    }
  }

  #addServer(): void {
    const { replica, proposals, name, memberId } = this.#sources;
    const status = () => replica.status();
    this.#gauge("etcd_server_has_leader", "1 when a leader is known.", () => Number(status().leader !== 0));
    this.#gauge("etcd_server_is_leader", "1 when this member leads.", () =>
      Number(status().role === "leader"),
    );
    this.#counter("etcd_server_leader_changes_seen_total", "Leader changes seen.", () => this.#leaderChanges);
    this.#gauge(
      "etcd_server_proposals_committed_total",
      "Last slot known chosen.",
      () => status().chosenUpTo,
    );
    this.#gauge("etcd_server_proposals_applied_total", "Last slot applied.", () => status().appliedUpTo);
    this.#gauge("etcd_server_proposals_pending", "Commands without outcome.", () => proposals.pending);
    this.#counter("etcd_server_proposals_failed_total", "Commands that failed.", () => proposals.failed);
    this.#gauge(
      "synod_rebuilding_up_to_slot",
      "The state was damaged, and no reads are served until it holds this slot; 0 when it is whole.",
      () => status().rebuildingUpTo,
    );
    this.#info("etcd_server_version", "Version of the API served.", { server_version: API_VERSION });
    this.#info("etcd_server_id", "Id of this member.", { server_id: memberId.toString(16) });
    this.#info("synod_info", "Version and name of this member.", { version: packageVersion(), name });
    this.#gauge("synod_fenced", "1 while the state here differs from the majority's.", () =>
      Number(status().isFenced),
    );
    this.#gauge("synod_out_of_space", "1 while the disk is full.", () => (status().isOutOfSpace ? 1 : 0));
    this.#gauge("synod_alarms", "Alarms now; the status has them as text.", () => status().alarms.length);
    this.#gauge("synod_round", "Round of the leader's ballot.", () => status().round);
  }

  #info(name: string, help: string, labels: Record<string, string>): void {
    const gauge = new Gauge({ name, help, labelNames: Object.keys(labels), registers: [this.#registry] });
    gauge.set(labels, 1);
  }

  #addStore(): void {
    const size = "etcd_mvcc_db_total_size";
    const mvcc = "etcd_debugging_mvcc";
    this.#gauge(`${size}_in_bytes`, "Bytes of the store.", () => this.#store.size);
    this.#gauge(`${size}_in_use_in_bytes`, "Bytes of the store in use.", () => this.#store.sizeInUse);
    this.#gauge(`${mvcc}_keys_total`, "Keys in the store.", () => this.#store.keys);
    this.#gauge(`${mvcc}_current_revision`, "Revision.", () => this.#store.revision);
    this.#gauge(`${mvcc}_compact_revision`, "Compacted up to.", () => this.#store.compactRevision);
  }

  #addCalls(): void {
    const { dispatch } = this.#sources;
    const all = [...dispatch.counts.values()];
    const registers = [this.#registry];
    const labelNames = ["grpc_type", "grpc_service", "grpc_method"];
    new Counter({
      name: "grpc_server_started_total",
      help: "Calls started.",
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const counts of all) this.inc(labelsOf(counts), counts.started);
      },
    });
    new Counter({
      name: "grpc_server_handled_total",
      help: "Calls ended, by code.",
      labelNames: [...labelNames, "grpc_code"],
      registers,
      collect() {
        this.reset();
        for (const counts of all) {
          for (const [code, calls] of counts.ended) {
            this.inc({ ...labelsOf(counts), grpc_code: codeName(code) }, calls);
          }
        }
      },
    });
    const sum = (read: (counts: MethodCounts) => number) => () =>
      all.reduce((total, counts) => total + read(counts), 0);
    const bytes = "etcd_network_client_grpc";
    this.#counter(
      `${bytes}_received_bytes_total`,
      "Bytes of requests.",
      sum((counts) => counts.receivedBytes),
    );
    this.#counter(
      `${bytes}_sent_bytes_total`,
      "Bytes of responses.",
      sum((counts) => counts.sentBytes),
    );
  }

  #addBorder(): void {
    const { admission, port } = this.#sources;
    this.#gauge("synod_client_connections", "Open connections.", () => port.open);
    this.#counter("synod_client_connections_total", "Connections taken.", () => port.accepted);
    this.#counter("synod_client_garbage_total", "Connections that spoke nothing known.", () => port.garbage);
    this.#counter("synod_client_silent_total", "Connections that said nothing.", () => port.silent);
    this.#counter("synod_client_turned_away_total", "Connections over the limit.", () => port.turnedAway);
    this.#gauge("synod_calls", "Calls under way.", () => admission.calls);
    this.#gauge("synod_call_bytes", "Bytes that calls under way hold.", () => admission.bytes);
    this.#counter("synod_calls_refused_total", "Calls over a limit.", () => admission.refused);
  }

  /** What the replica counts is known only when it is asked. */
  #replicaCounter(name: string, value: number): void {
    let counter = this.#replicaCounters.get(name);
    if (counter === undefined) {
      const snake = name.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`);
      const help = `Counter ${name} of the replica.`;
      counter = new Counter({ name: `synod_replica_${snake}_total`, help, registers: [this.#registry] });
      this.#replicaCounters.set(name, counter);
    }
    counter.reset();
    counter.inc(value);
  }
}

function labelsOf({ path, isStream }: MethodCounts): Record<string, string> {
  const [, service, method] = path.split("/");
  return { grpc_type: isStream ? "server_stream" : "unary", grpc_service: service!, grpc_method: method! };
}

/** `InvalidArgument`, as gRPC's middleware for Go names codes; `OK` alone is in capitals. */
function codeName(code: Code): string {
  if (code === Code.ok) return "OK";
  const name = Object.entries(Code).find(([, known]) => known === code)![0];
  return name[0]!.toUpperCase() + name.slice(1);
}
