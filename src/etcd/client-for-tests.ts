// For tests: a server on a free port over a replica of one, and calls to it by path, with the codes they end with.

import type { TestContext } from "node:test";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { ReplicaForTests } from "./replica-for-tests.js";
import { type EtcdServer, type EtcdServerOptions, startEtcdServer } from "./server.js";
import type { MessageCodec } from "./service.js";

export const CLUSTER_ID = "00000000deadbeef";

export interface Running {
  readonly replica: ReplicaForTests;
  readonly server: EtcdServer;
  readonly address: string;
  readonly port: number;
  readonly client: Client;
  readonly bugs: unknown[];
}

/** Ended with the test. */
export async function run(t: TestContext, options: Partial<EtcdServerOptions> = {}): Promise<Running> {
  const replica = await ReplicaForTests.open();
  const bugs: unknown[] = [];
  const server = await startEtcdServer({
    replica,
    name: "a",
    clusterId: CLUSTER_ID,
    members: () => [
      { id: 1, name: "a", peerUrls: ["http://127.0.0.1:2380"], clientUrls: ["http://127.0.0.1:2379"] },
      { id: 2, name: "b", peerUrls: ["http://127.0.0.1:12380"], clientUrls: [] },
    ],
    listenClientUrls: ["http://127.0.0.1:0"],
    onBug: (error) => bugs.push(error),
    ...options,
  });
  const address = server.addresses[0]!;
  const client = connect(address);
  t.after(async () => {
    client.close();
    await server.close();
  });
  return { replica, server, address, port: Number(address.split(":")[1]), client, bugs };
}

export function connect(address: string): Client {
  return new Client(address, credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
    "grpc.use_local_subchannel_pool": 1,
  });
}

export interface Failure {
  readonly code: number;
  readonly text: string;
}

export interface CallOptions {
  readonly metadata?: Readonly<Record<string, string>>;
  readonly deadline?: Date;
  readonly onCall?: (cancel: () => void) => void;
}

/** Sends bytes as they are. Rejects with a `ServiceError`. */
export function callBytes(
  client: Client,
  path: string,
  request: Uint8Array,
  { metadata = {}, deadline, onCall }: CallOptions = {},
): Promise<Buffer> {
  const headers = new Metadata();
  for (const [key, value] of Object.entries(metadata)) headers.set(key, value);
  return new Promise((resolve, reject) => {
    const call = client.makeUnaryRequest(
      path,
      (bytes: Uint8Array) => Buffer.from(bytes),
      (bytes) => bytes,
      request,
      headers,
      deadline === undefined ? {} : { deadline },
      (error, response) => (error === null ? resolve(response!) : reject(error)),
    );
    onCall?.(() => call.cancel());
  });
}

export async function call<Request, Response>(
  client: Client,
  path: string,
  codecs: readonly [MessageCodec<Request>, MessageCodec<Response>],
  request: Request,
  options?: CallOptions,
): Promise<Response> {
  return codecs[1].decode(await callBytes(client, path, codecs[0].encode(request).finish(), options));
}

/** How a call that must fail ended. */
export async function failureOfCall(outcome: Promise<unknown>): Promise<Failure> {
  try {
    await outcome;
  } catch (error) {
    const { code, details } = error as ServiceError;
    return { code, text: details };
  }
  throw new Error("the call was answered");
}

/** Waits until it is so; rejects when that takes 20 seconds. */
export async function until(isSo: () => boolean): Promise<void> {
  const end = performance.now() + 20_000;
  while (!isSo()) {
    if (performance.now() > end) throw new Error(`still not so after 20 s: ${isSo}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
