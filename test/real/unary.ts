// Puts and ranges over bare gRPC, for tests and benchmarks that a client library would stand in the way of.
import { Client, type ClientOptions, credentials } from "@grpc/grpc-js";
import { PutRequest, PutResponse, RangeRequest, RangeResponse } from "../../src/proto/gen/rpc.js";

export interface Codec<Message> {
  encode(message: Message): { finish(): Uint8Array };
  decode(bytes: Uint8Array): Message;
}

export function connect(endpoint: string, options: ClientOptions = {}): Client {
  return new Client(endpoint, credentials.createInsecure(), options);
}

/** Rejects with grpc-js's `ServiceError`. */
export function unary<Request, Response>(
  client: Client,
  path: string,
  requests: Codec<Request>,
  responses: Codec<Response>,
  request: Request,
): Promise<Response> {
  const encode = (message: Request) => Buffer.from(requests.encode(message).finish());
  const decode = (bytes: Buffer) => responses.decode(bytes);
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, encode, decode, request, (error, response) => {
      if (error) reject(error);
      else resolve(response!);
    });
  });
}

const encoder = new TextEncoder();

/** Rejects with grpc-js's `ServiceError`. */
export function put(client: Client, key: string, value: Uint8Array): Promise<PutResponse> {
  const request = PutRequest.fromPartial({ key: encoder.encode(key), value });
  return unary(client, "/etcdserverpb.KV/Put", PutRequest, PutResponse, request);
}

/** Rejects with grpc-js's `ServiceError`. */
export function range(
  client: Client,
  key: string,
  options: { serializable?: boolean } = {},
): Promise<RangeResponse> {
  const request = RangeRequest.fromPartial({ key: encoder.encode(key), ...options });
  return unary(client, "/etcdserverpb.KV/Range", RangeRequest, RangeResponse, request);
}
