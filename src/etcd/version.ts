// The version of etcd whose API is served, by which clients turn features on, and Synod's own beside it.
import { readFileSync } from "node:fs";

export const API_VERSION = "3.6.11";
export const API_CLUSTER_VERSION = "3.6.0";

export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
  return version;
}
