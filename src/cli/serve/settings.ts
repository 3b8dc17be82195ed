// The settings of `synod serve` by etcd's names: what may be given as a flag, as an environment variable and in a
// file, and what holds when nothing is given.

export interface Setting {
  /** The flag without its dashes; the key in a file. */
  readonly name: string;
  readonly placeholder: string;
  readonly description: string;
  /** As shown in the help; empty when it follows from other settings. */
  readonly standard: string;
}

export const SETTINGS = [
  { name: "name", placeholder: "name", description: "this member's name", standard: "default" },
  {
    name: "data-dir",
    placeholder: "dir",
    description: "where the data is (default: <name>.synod)",
    standard: "",
  },
  {
    name: "listen-client-urls",
    placeholder: "urls",
    description: "where clients are served",
    standard: "http://localhost:2379",
  },
  {
    name: "advertise-client-urls",
    placeholder: "urls",
    description: "where clients are told to come (default: --listen-client-urls)",
    standard: "",
  },
  {
    name: "listen-peer-urls",
    placeholder: "url",
    description: "where the other members are listened to (default: --initial-advertise-peer-urls)",
    standard: "",
  },
  {
    name: "initial-advertise-peer-urls",
    placeholder: "url",
    description: "where the others reach this member (default: its URL in --initial-cluster)",
    standard: "",
  },
  {
    name: "initial-cluster",
    placeholder: "members",
    description: "all members, as name=url,name=url,... (default: this one alone)",
    standard: "",
  },
  {
    name: "initial-cluster-token",
    placeholder: "token",
    description: "tells clusters with the same members apart",
    standard: "synod-cluster",
  },
  {
    name: "initial-cluster-state",
    placeholder: "state",
    description: "new, or existing for a member that has its data",
    standard: "new",
  },
  {
    name: "cluster-client-urls",
    placeholder: "members",
    description: "where the other members serve clients, as name=url,name=url,... for the member list",
    standard: "",
  },
  {
    name: "heartbeat-interval",
    placeholder: "ms",
    description: "milliseconds between two heartbeats of a leader",
    standard: "50",
  },
  {
    name: "election-timeout",
    placeholder: "ms",
    description: "milliseconds without a heartbeat after which another member may lead",
    standard: "500",
  },
  {
    name: "log-level",
    placeholder: "level",
    description: "debug, info, warn or error",
    standard: "info",
  },
  {
    name: "log-format",
    placeholder: "format",
    description: "json, a line each, or console (default: console on a terminal)",
    standard: "",
  },
] as const satisfies readonly Setting[];

export type SettingName = (typeof SETTINGS)[number]["name"];

/** What was given, and by what: "--name", "SYNOD_NAME" or "name in <file>". */
export interface Given {
  readonly text: string;
  readonly source: string;
}

export type Settings = ReadonlyMap<SettingName, Given>;

/** etcd's TLS settings, known so that they can be refused with the reason. */
export const TLS_SETTINGS: readonly string[] = [
  "cert-file",
  "key-file",
  "client-cert-auth",
  "client-crl-file",
  "client-cert-allowed-hostname",
  "trusted-ca-file",
  "auto-tls",
  "peer-cert-file",
  "peer-key-file",
  "peer-client-cert-auth",
  "peer-crl-file",
  "peer-trusted-ca-file",
  "peer-auto-tls",
  "peer-cert-allowed-cn",
  "peer-cert-allowed-hostname",
  "cipher-suites",
  "tls-min-version",
  "tls-max-version",
];

/** The keys of a file under which etcd keeps them. */
export const TLS_FILE_KEYS: readonly string[] = ["client-transport-security", "peer-transport-security"];

export function tlsRefusal(source: string): string {
  return `${source}: TLS is not built yet; leave it out and keep the ports within a network that you trust`;
}

export function environmentName(setting: string): string {
  return `SYNOD_${setting.replaceAll("-", "_").toUpperCase()}`;
}

export function settingName(name: string): SettingName | undefined {
  return SETTINGS.find((setting) => setting.name === name)?.name;
}
