// The etcd face of one replica: its services, the client port with gRPC and HTTP/1.1 on it, and how both end.
import { Admission } from "./admission.js";
import { clusterMethods, type MemberInfo } from "./cluster-service.js";
import { Dispatch } from "./dispatch.js";
import { GrpcTransport } from "./grpc-transport.js";
import { Headers } from "./header.js";
import { healthMethods } from "./health-service.js";
import { HttpFace } from "./http.js";
import type { KvReplica } from "./kv-replica.js";
import { KvService } from "./kv-service.js";
import { DEFAULT_LIMITS, type Limits } from "./limits.js";
import { addressText, parseListenUrl } from "./listen-url.js";
import { maintenanceMethods } from "./maintenance-service.js";
import { Metrics } from "./metrics.js";
import { ClientPort } from "./port.js";

export type { MemberInfo } from "./cluster-service.js";
export type { KvReplica } from "./kv-replica.js";
export { ListenError } from "./listen-url.js";

export interface EtcdServerOptions {
  readonly replica: KvReplica;
  readonly name: string;
  /** 16 hex digits. */
  readonly clusterId: string;
  /** The members as they are known now; asked at each MemberList. */
  readonly members: () => readonly MemberInfo[];
  /** `http://HOST:PORT`; port 0 takes a free one. */
  readonly listenClientUrls: readonly string[];
  /** After it a call ends with "request timed out"; etcd's is 5 s and twice the election timeout. */
  readonly requestTimeoutMs?: number;
  readonly electionMs?: number;
  readonly limits?: Partial<Limits>;
  /** An error that nothing should give: the call has failed, the server goes on. */
  readonly onBug?: (error: unknown, path: string) => void;
}

export interface EtcdServer {
  /** `HOST:PORT`, one for each URL. */
  readonly addresses: readonly string[];
  /** Takes no more calls, lets those under way end within the drain time, and closes every connection. */
  close(): Promise<void>;
}

/** Rejects with `ListenError` when a URL cannot be listened at; then none is. */
export async function startEtcdServer(options: EtcdServerOptions): Promise<EtcdServer> {
  const { replica, electionMs = 500 } = options;
  const { requestTimeoutMs = 5_000 + 2 * electionMs } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const urls = options.listenClientUrls.map(parseListenUrl);
  const headers = new Headers(replica, options.clusterId);
  const kv = new KvService(replica, headers, limits.maxRequestBytes);
  const admission = new Admission(limits);
  const methods = [
    ...kv.methods(),
    ...maintenanceMethods(replica, headers, options.clusterId),
    ...clusterMethods(replica, headers, options.members),
  ];
  const services = new Set(methods.map(({ path }) => path.split("/")[1]!));
  const dispatch = new Dispatch([...methods, ...healthMethods(replica, services)], {
    requestTimeoutMs,
    hasLeader: () => replica.status().leader !== 0,
    onBug: options.onBug ?? (() => {}),
  });
  const grpc = new GrpcTransport(dispatch, admission, limits);
  const http = new HttpFace({ replica, requestTimeoutMs, limits, metrics: () => metrics.text() });
  const port = new ClientPort(
    { onHttp2: (socket) => grpc.accept(socket), onHttp1: (socket) => http.accept(socket) },
    limits,
  );
  const memberId = headers.memberId(replica.status().id);
  const { name } = options;
  const sources = {
    name,
    memberId,
    replica,
    dispatch,
    admission,
    proposals: kv.proposals,
    port: port.counts,
  };
  const metrics = new Metrics(sources);
  const close = async (): Promise<void> => {
    port.stopAccepting();
    dispatch.close();
    grpc.close();
    http.close();
    metrics.close();
    await port.closed(limits.drainMs);
  };
  const addresses: string[] = [];
  try {
    for (const url of urls) addresses.push(addressText(await port.listen(url)));
  } catch (error) {
    await close();
    throw error;
  }
  let closing: Promise<void> | undefined;
  return {
    addresses,
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}
