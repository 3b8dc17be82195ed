// After a cycle: all replicas are level and hold the same, byte for byte, and every acknowledged write is there, at the
// revision that its client was told.
import { type Client, status } from "@grpc/grpc-js";
import { RangeRequest, RangeResponse, StatusRequest, StatusResponse } from "../../src/proto/gen/rpc.js";
import { sleep } from "../real/processes.js";
import { type Codec, unary } from "../real/unary.js";
import { keyOf, type Load, valueUnder } from "./load.js";
import type { Member } from "./member.js";

const LEVEL_WITHIN_MS = 20_000;

const RAW: Codec<Uint8Array> = {
  encode: (message) => ({ finish: () => message }),
  decode: (bytes) => bytes,
};

interface Asked {
  readonly from: string;
  readonly to: string;
  readonly serializable: boolean;
  readonly countOnly?: boolean;
}

/** The answer apart from its header, which tells who answers; and the revision in that. */
interface Answer {
  readonly revision: number;
  readonly body: Buffer;
}

async function ask(client: Client, { from, to, ...options }: Asked): Promise<Answer> {
  const request = RangeRequest.fromPartial({ key: Buffer.from(from), rangeEnd: Buffer.from(to), ...options });
  const bytes = Buffer.from(await unary(client, "/etcdserverpb.KV/Range", RangeRequest, RAW, request));
  // Field 1 with its length, which is less than 128.
  const end = bytes[0] === 0x0a ? 2 + bytes[1]! : 0;
  const { header } = RangeResponse.decode(bytes.subarray(0, end));
  return { revision: Number(header!.revision), body: bytes.subarray(end) };
}

function clientOf(member: Member): Client {
  if (member.client === null) {
    throw Object.assign(new Error(`${member.plan.name} does not run`), { code: status.UNAVAILABLE });
  }
  return member.client;
}

/**
 * Null when all are at one revision, that is `floor` or more, and none has an alarm, such as that what is damaged has
 * no copy left; a sentence when they do not get there.
 */
export async function level(members: readonly Member[], floor: number): Promise<string | null> {
  const end = performance.now() + LEVEL_WITHIN_MS;
  const asked = { from: "c", to: "d", serializable: true, countOnly: true };
  for (;;) {
    const answers = await Promise.all(members.map((member) => ask(clientOf(member), asked)));
    const revisions = answers.map(({ revision }) => revision);
    const isLevel = revisions.every((revision) => revision >= floor && revision === revisions[0]);
    const alarms = isLevel ? await alarmsOf(members) : [];
    if (isLevel && alarms.length === 0) return null;
    if (alarms.length > 0 && performance.now() > end) return `alarms do not go away: ${alarms.join("; ")}`;
    if (performance.now() > end) {
      return `after ${LEVEL_WITHIN_MS / 1000} s the replicas are at revisions ${revisions.join(", ")}, the highest acknowledged is ${floor}`;
    }
    await sleep(10);
  }
}

async function alarmsOf(members: readonly Member[]): Promise<string[]> {
  const path = "/etcdserverpb.Maintenance/Status";
  const answers = await Promise.all(
    members.map((member) => unary(clientOf(member), path, StatusRequest, StatusResponse, {})),
  );
  return answers.flatMap(({ errors }, i) => errors.map((text) => `${members[i]!.plan.name}: ${text}`));
}

/** Compares what was put in the cycles `from` to `to`; a linearizable read at `reader` is held against `load`. */
export async function compare(
  members: readonly Member[],
  reader: Member,
  load: Load,
  cycles: { readonly from: number; readonly to: number },
): Promise<string[]> {
  const asked = { from: keyOf(cycles.from, 0), to: keyOf(cycles.to + 1, 0) };
  const [truth, ...copies] = await Promise.all([
    ask(clientOf(reader), { ...asked, serializable: false }),
    ...members.map((member) => ask(clientOf(member), { ...asked, serializable: true })),
  ]);
  const wrong = copies.flatMap(({ body }, i) => {
    const differs = !body.equals(truth!.body);
    return differs ? [`${members[i]!.plan.name} holds other than ${reader.plan.name} answers`] : [];
  });
  const { kvs } = RangeResponse.decode(truth!.body);
  const found = new Map(kvs.map((kv) => [Buffer.from(kv.key).toString(), kv]));
  for (const [key, kv] of found) {
    if (Buffer.from(kv.value).toString() !== valueUnder(key))
      wrong.push(`${key} has a value that nobody put`);
    if (Number(kv.version) !== 1) wrong.push(`${key} was put once, and has version ${kv.version}`);
    if (!load.acknowledged.has(key) && !load.unknown.has(key)) wrong.push(`${key} was put by nobody`);
  }
  for (const [key, revision] of load.acknowledged) {
    if (key < asked.from || key >= asked.to) continue;
    const kv = found.get(key);
    if (kv === undefined) wrong.push(`lost: ${key}, acknowledged at revision ${revision}`);
    else if (Number(kv.modRevision) !== revision) {
      wrong.push(`${key} was acknowledged at revision ${revision}, and is there at ${kv.modRevision}`);
    }
  }
  return wrong;
}
