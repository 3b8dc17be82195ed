// Synod's own version, from package.json, and the version of etcd's API that it serves.
import { readFileSync } from "node:fs";

export const API_VERSION = "3.6";

export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
  return version;
}
