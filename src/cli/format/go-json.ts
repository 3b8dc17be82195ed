// JSON as Go's encoding/json writes etcd's messages: no spaces, 64-bit numbers in full, bytes in base64, and
// a field that is zero, empty or absent is left out.

export type GoValue =
  | string
  | number
  | bigint
  | boolean
  | Uint8Array
  | GoObject
  | readonly GoValue[]
  | undefined;

export interface GoObject {
  readonly [field: string]: GoValue;
}

/** Go escapes these so that its JSON may stand in a page or a script. */
const ESCAPED = /[<>&\u2028\u2029]/g;

export function goString(text: string): string {
  return JSON.stringify(text).replace(
    ESCAPED,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function isEmpty(value: GoValue): boolean {
  if (value === undefined || value === 0 || value === 0n || value === "" || value === false) return true;
  return (value instanceof Uint8Array || Array.isArray(value)) && value.length === 0;
}

/** An object's empty fields are left out, as with `omitempty`; an empty object itself is written. */
export function goJson(value: GoValue): string {
  if (value === undefined) return "null";
  if (typeof value === "string") return goString(value);
  if (typeof value !== "object") return String(value);
  if (value instanceof Uint8Array) return `"${Buffer.from(value).toString("base64")}"`;
  if (isList(value)) return `[${value.map(goJson).join(",")}]`;
  const fields = Object.entries(value)
    .filter(([, field]) => !isEmpty(field))
    .map(([name, field]) => `${goString(name)}:${goJson(field)}`);
  return `{${fields.join(",")}}`;
}

function isList(value: GoObject | readonly GoValue[]): value is readonly GoValue[] {
  return Array.isArray(value);
}
