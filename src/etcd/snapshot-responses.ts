// The messages of Maintenance.Snapshot, encoded by hand: the generated codec makes three times the bytes of each piece
// as garbage, which is collected in long pauses. Rule: the bytes are those of the generated codec.
import { ByteWriter } from "../base/bytes.js";
import { SnapshotResponse } from "../proto/gen/rpc.js";
import type { MessageCodec } from "./service.js";
import { API_CLUSTER_VERSION } from "./version.js";

/** Field 3, `blob`, of wire type 2. */
const TAG_BLOB = 0x1a;
const NOTHING: SnapshotResponse = {
  header: undefined,
  remainingBytes: 0,
  blob: new Uint8Array(0),
  version: "",
};

/** The codec of what is encoded already. */
export const ENCODED: MessageCodec<Uint8Array> = {
  encode: (bytes) => ({ finish: () => bytes }),
  decode: (bytes) => bytes,
};

/** Those of one call, all in the same memory: each is good until the next one is made. */
export class SnapshotResponses {
  readonly #writer: ByteWriter;
  readonly #version: Uint8Array;
  #remaining: number;

  /** `bytes`: of all pieces. */
  constructor(bytes: number) {
    this.#writer = new ByteWriter();
    this.#version = SnapshotResponse.encode({ ...NOTHING, version: API_CLUSTER_VERSION }).finish();
    this.#remaining = bytes;
  }

  next(blob: Uint8Array): Uint8Array {
    this.#remaining -= blob.length;
    const writer = this.#writer;
    writer.clear();
    // In the order of their numbers, as the generated codec writes them.
    writer.raw(SnapshotResponse.encode({ ...NOTHING, remainingBytes: this.#remaining }).finish());
    writer.u8(TAG_BLOB);
    writer.bytes(blob);
    writer.raw(this.#version);
    return writer.finish();
  }
}
