// A replica played by hand, frame by frame, against a TcpNetwork under test.
import { connect, type Socket } from "node:net";
import type { ReplicaId } from "../../src/paxos/ballot.js";
import { identityOf } from "../../src/replica/network-contract.js";
import { FRAME_KINDS, FrameParser, MAX_FRAME_BYTES, sealFrame, startFrame } from "../../src/wire/frame.js";
import { decodeRefusal, encodeHello, type Hello } from "../../src/wire/handshake.js";
import { encodeMessage } from "../../src/wire/message-codec.js";
import type { PeerMessage } from "../../src/wire/peer-message.js";

export class RawPeer {
  readonly socket: Socket;
  /** Payloads that came, kind byte first. */
  readonly payloads: Uint8Array[];
  isClosed: boolean;

  constructor(port: number) {
    this.payloads = [];
    this.isClosed = false;
    const parser = new FrameParser(MAX_FRAME_BYTES);
    this.socket = connect({ host: "127.0.0.1", port, noDelay: true });
    this.socket.on("data", (chunk) => {
      parser.push(chunk);
      for (let payload = parser.next(); payload !== null; payload = parser.next())
        this.payloads.push(payload);
    });
    this.socket.on("error", () => this.socket.destroy());
    this.socket.on("close", () => {
      this.isClosed = true;
    });
  }

  hello(replica: ReplicaId, changed: Partial<Hello> = {}): this {
    return this.write(encodeHello({ ...identityOf(replica), to: 1, ...changed }));
  }

  write(bytes: Uint8Array | string): this {
    this.socket.write(bytes);
    return this;
  }

  message(message: PeerMessage): this {
    const writer = startFrame(FRAME_KINDS.message);
    encodeMessage(message, writer);
    return this.write(sealFrame(writer));
  }

  has(kind: keyof typeof FRAME_KINDS): boolean {
    return this.payload(kind) !== undefined;
  }

  payload(kind: keyof typeof FRAME_KINDS): Uint8Array | undefined {
    return this.payloads.find((payload) => payload[0] === FRAME_KINDS[kind]);
  }

  get refusal(): string {
    const payload = this.payload("refusal");
    return payload === undefined ? "" : decodeRefusal(payload);
  }
}
