// Asks a real etcd and writes its answers down: `node dist/test/etcd-answers/record.js` rewrites answers.jsonl.
// It starts the etcd in the path on loopback, with data in a temporary directory, and ends it.
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, credentials } from "@grpc/grpc-js";
import { Random } from "../../src/base/random.js";
import * as rpc from "../../src/proto/gen/rpc.js";
import { type Answered, plain, withoutTopHeader } from "./answers.js";
import { corners, type Operation, someOperation } from "./operations.js";

const CLIENT_PORT = 42379;
const PEER_PORT = 42380;
const RANDOM_OPERATIONS = 1_500;

interface Codec {
  readonly path: string;
  readonly request: rpc.MessageFns<never>;
  readonly response: rpc.MessageFns<{ header: rpc.ResponseHeader | undefined }>;
}

const METHODS = {
  range: { path: "Range", request: rpc.RangeRequest, response: rpc.RangeResponse },
  put: { path: "Put", request: rpc.PutRequest, response: rpc.PutResponse },
  deleteRange: { path: "DeleteRange", request: rpc.DeleteRangeRequest, response: rpc.DeleteRangeResponse },
  txn: { path: "Txn", request: rpc.TxnRequest, response: rpc.TxnResponse },
  compact: { path: "Compact", request: rpc.CompactionRequest, response: rpc.CompactionResponse },
} as unknown as Record<Operation["kind"], Codec>;

function ask(client: Client, operation: Operation): Promise<Answered> {
  const { path, request, response } = METHODS[operation.kind];
  const asked = { operation: operation.kind, request: plain(operation.request) ?? {} };
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      `/etcdserverpb.KV/${path}`,
      (message: never) => Buffer.from(request.encode(message).finish()),
      (bytes) => response.decode(bytes),
      operation.request as never,
      (error, answer) => {
        if (error?.code === 14) reject(error);
        else if (error) resolve({ ...asked, error: error.details });
        else {
          const revision = answer!.header!.revision;
          resolve({ ...asked, revision, response: plain(withoutTopHeader(answer!)) ?? {} });
        }
      },
    );
  });
}

async function record(client: Client): Promise<Answered[]> {
  const answers: Answered[] = [];
  for (const corner of corners) answers.push(await ask(client, corner));
  const random = new Random(42);
  let revision = 1;
  for (let i = 0; i < RANDOM_OPERATIONS; i += 1) {
    for (const { revision: seen } of answers.slice(-2)) revision = Math.max(revision, seen ?? 0);
    answers.push(await ask(client, someOperation(random, revision)));
  }
  return answers;
}

const directory = await mkdtemp(join(tmpdir(), "synod-etcd-"));
const clientUrl = `http://127.0.0.1:${CLIENT_PORT}`;
const peerUrl = `http://127.0.0.1:${PEER_PORT}`;
const urls = ["--listen-client-urls", clientUrl, "--advertise-client-urls", clientUrl];
const peers = ["--listen-peer-urls", peerUrl, "--initial-advertise-peer-urls", peerUrl];
const cluster = ["--initial-cluster", `default=${peerUrl}`, "--data-dir", directory];
const etcd = spawn("etcd", [...urls, ...peers, ...cluster], { stdio: "ignore" });
const client = new Client(`127.0.0.1:${CLIENT_PORT}`, credentials.createInsecure());
try {
  await new Promise<void>((resolve, reject) =>
    client.waitForReady(new Date(Date.now() + 20_000), (error) => (error ? reject(error) : resolve())),
  );
  const answers = await record(client);
  const lines = answers.map((answer) => JSON.stringify(answer)).join("\n");
  await writeFile(join("test", "etcd-answers", "answers.jsonl"), `${lines}\n`);
  console.log(`${answers.length} answers written`);
} finally {
  client.close();
  etcd.kill("SIGKILL");
  await rm(directory, { recursive: true, force: true });
}
