// Random bytes of the system, as hex digits: disk ids, the number of a run, seeds.
import { randomBytes } from "node:crypto";

export function randomHex(bytes: number): string {
  return randomBytes(bytes).toString("hex");
}
