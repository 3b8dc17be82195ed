// The file of etcd's answers: a line of JSON for each operation. Bytes are latin1 text; what is empty, zero or
// false is left out.
import { latin1OfBytes } from "../../src/kv/latin1.js";
import type { Operation } from "./operations.js";

export type Plain = { readonly [name: string]: Plain } | readonly Plain[] | string | number | boolean;

export interface Answered {
  readonly operation: Operation["kind"];
  readonly request: Plain;
  /** The store's revision, and the response without its header; or etcd's error. */
  readonly revision?: number;
  readonly response?: Plain;
  readonly error?: string;
}

export function plain(value: unknown): Plain | undefined {
  if (value instanceof Uint8Array) return value.length === 0 ? undefined : latin1OfBytes(value);
  if (typeof value === "bigint") return value === 0n ? undefined : `${value}`;
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((one) => plain(one) ?? {});
  if (typeof value === "object" && value !== null) {
    const fields: Record<string, Plain> = {};
    for (const [name, field] of Object.entries(value)) {
      const short = plain(field);
      const isMessage = typeof field === "object" && field !== null && !Array.isArray(field);
      if (short !== undefined) fields[name] = short;
      else if (isMessage && !(field instanceof Uint8Array)) fields[name] = {};
    }
    return fields;
  }
  if (value === undefined || value === null || value === 0 || value === false || value === "")
    return undefined;
  return value as string | number | boolean;
}

/** Headers within a transaction's response tell the revision and nothing else. */
export function withoutTopHeader(response: object): object {
  const { header: _header, ...rest } = response as { header?: unknown };
  return rest;
}
