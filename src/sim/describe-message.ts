// Messages and values as short text, for traces: `accept b1.1 slot=1 "x=1" chosen=0`.
import { unreachable } from "../base/assert.js";
import { decodeUtf8 } from "../base/utf8.js";
import { describeBallot, LAST_SLOT, type Slot } from "../paxos/ballot.js";
import type { HeartbeatMessage, Message } from "../paxos/message.js";
import { commandsOf, isNoop, type Value } from "../paxos/value.js";
import type { SnapshotMessage } from "../wire/snapshot-messages.js";

/** The bytes of a command as people read them. */
function textOf(payload: Uint8Array): string {
  return decodeUtf8(payload) ?? `${payload.length} bytes`;
}

export function describeValue(value: Value): string {
  if (isNoop(value)) return "noop";
  return commandsOf(value)
    .map((command) => `"${textOf(command.payload)}"`)
    .join("+");
}

function slotRange(from: Slot, to: Slot): string {
  if (to === LAST_SLOT) return `${from}-`;
  return from === to ? `${from}` : `${from}-${to}`;
}

/** `1 "x" 2-4 noop`: equal neighbours share a range. */
export function describeSlots(entries: readonly { slot: Slot; text: string }[]): string {
  const parts: string[] = [];
  for (let i = 0; i < entries.length; ) {
    let end = i + 1;
    const first = entries[i]!;
    while (
      end < entries.length &&
      entries[end]!.text === first.text &&
      entries[end]!.slot === first.slot + end - i
    ) {
      end += 1;
    }
    parts.push(`${slotRange(first.slot, entries[end - 1]!.slot)} ${first.text}`.trimEnd());
    i = end;
  }
  return parts.join(", ");
}

function describeHeartbeat(m: HeartbeatMessage): string {
  const connected = m.quorumConnected ? "" : " not quorum-connected";
  const state = `${connected}${m.full ? " full" : ""}`;
  const empty = slotRange(m.emptyAbove + 1, LAST_SLOT);
  return `heartbeat ${describeBallot(m.ballot)} round=${m.round} chosen=${m.chosenUpTo} empty=${empty}${state}`;
}

export function describeMessage(message: Message | SnapshotMessage): string {
  switch (message.kind) {
    case "prepare":
      return `prepare ${describeBallot(message.ballot)} from=${message.fromSlot}`;
    case "promise": {
      const votes = message.accepted.map(({ slot, ballot, value }) => ({
        slot,
        text: `${describeBallot(ballot)} ${describeValue(value)}`,
      }));
      const faulty = message.faulty.map(
        ({ from, to, ballot }) => `${slotRange(from, to)}@${describeBallot(ballot)}`,
      );
      return [
        `promise ${describeBallot(message.ballot)} slots=${slotRange(message.from, message.to)}`,
        `accepted=[${describeSlots(votes)}]`,
        ...(faulty.length > 0 ? [`faulty=[${faulty.join(", ")}]`] : []),
        `chosen=${message.chosenUpTo}`,
        ...(message.compactedUpTo > 0 ? [`compacted=${message.compactedUpTo}`] : []),
      ].join(" ");
    }
    case "accept": {
      const values = message.values.map((value, i) => ({
        slot: message.firstSlot + i,
        text: describeValue(value),
      }));
      return `accept ${describeBallot(message.ballot)} [${describeSlots(values)}] chosen=${message.chosenUpTo}`;
    }
    case "accepted": {
      const slots = describeSlots(message.slots.map((slot) => ({ slot, text: "" })));
      return `accepted ${describeBallot(message.ballot)} upTo=${message.upTo}${slots === "" ? "" : ` slots=[${slots}]`}`;
    }
    case "reject":
      return `reject ${describeBallot(message.ballot)} promised=${describeBallot(message.promised)}`;
    case "heartbeat":
      return describeHeartbeat(message);
    case "heartbeatAck":
      return `heartbeatAck ${describeBallot(message.ballot)} round=${message.round} synced=${message.syncedUpTo}${message.damaged ? " damaged" : ""}${message.full ? " full" : ""}`;
    case "canvass":
      return `canvass chosen=${message.chosenUpTo}`;
    case "canvassReply": {
      const answer = message.willing ? "yes" : "no";
      const leader = message.leader === 0 ? "" : ` leader=${message.leader}`;
      return `canvassReply ${answer} promised=${describeBallot(message.promised)} chosen=${message.chosenUpTo}${leader}`;
    }
    case "learn":
      return `learn from=${message.fromSlot}`;
    case "learned":
      return `learned [${describeSlots(message.entries.map(({ slot, value }) => ({ slot, text: describeValue(value) })))}]`;
    case "forward": {
      const payloads = message.commands.map((command) => `"${textOf(command.payload)}"`);
      return `forward ${payloads.join("+")} hops=${message.hops}`;
    }
    case "forwarded":
      return `forwarded origin=${message.origin} numbers=${message.numbers.join(",")} ${describeBallot(message.ballot)} chosen=${message.chosenUpTo}`;
    case "readIndex":
      return `readIndex origin=${message.origin} hops=${message.hops}`;
    case "readIndexReply":
      return `readIndexReply origin=${message.origin} slot=${message.slot} ${describeBallot(message.ballot)} chosen=${message.chosenUpTo}`;
    case "transfer":
      return `transfer ${describeBallot(message.ballot)} to=${message.to}`;
    case "snapshotOffer":
      return `snapshotOffer slot=${message.slot} bytes=${message.bytes}`;
    case "snapshotRequest":
      return `snapshotRequest slot=${message.slot} offset=${message.offset}`;
    case "snapshotChunk":
      return `snapshotChunk slot=${message.slot} offset=${message.offset} bytes=${message.data.length}`;
    default:
      return unreachable(message);
  }
}
