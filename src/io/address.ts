// Peer addresses as people write them: `host:port`, an IPv6 address in brackets.
import type { Address } from "./tcp-network.js";

/** Throws a `TypeError` that names `what`. */
export function parseAddress(text: unknown, what: string): Address {
  const match =
    typeof text === "string" ? /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(text) : null;
  const port = Number(match?.[3]);
  if (match === null || port > 65535) {
    throw new TypeError(`${what} must be "host:port", with a port up to 65535, not ${JSON.stringify(text)}`);
  }
  return { host: match[1] ?? match[2]!, port };
}
