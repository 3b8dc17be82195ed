// gRPC's own health check: the server as a whole, as etcd has it, and each of its services. `Watch` tells the
// present status and every change until the client or the server ends.
import {
  HealthCheckRequest,
  HealthCheckResponse,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from "../proto/gen/health.js";
import type { CancelSignal } from "../replica/cancel.js";
import { CallFailed, Code } from "./errors.js";
import type { KvReplica } from "./kv-replica.js";
import { type Call, type Method, serverStream, unary } from "./service.js";

export const HEALTH_WATCH_MS = 500;

export function healthMethods(replica: KvReplica, services: ReadonlySet<string>): Method[] {
  const statusOf = (service: string): ServingStatus => {
    if (service !== "" && !services.has(service)) return ServingStatus.SERVICE_UNKNOWN;
    return replica.status().isServing ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
  };
  const check = async ({ service }: HealthCheckRequest): Promise<HealthCheckResponse> => {
    const status = statusOf(service);
    if (status === ServingStatus.SERVICE_UNKNOWN) throw new CallFailed(Code.notFound, "unknown service");
    return { status };
  };
  async function* watch({ service }: HealthCheckRequest, { signal }: Call) {
    let told: ServingStatus | undefined;
    while (!signal.aborted) {
      const status = statusOf(service);
      if (status !== told) yield { status };
      told = status;
      await pause(HEALTH_WATCH_MS, signal);
    }
  }
  const path = (name: string): string => `/grpc.health.v1.Health/${name}`;
  return [
    unary(path("Check"), HealthCheckRequest, HealthCheckResponse, check),
    serverStream(path("Watch"), HealthCheckRequest, HealthCheckResponse, watch),
  ];
}

/** Resolves after `ms`, or at once when the signal comes. */
function pause(ms: number, signal: CancelSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
