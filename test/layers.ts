// The layers as data: what each folder of src/ may import from other folders, from npm, and of the platform.
// docs/architecture.md shows the same table; `tidy.test.ts` fails on any other import.

export interface Layer {
  /** Folder of src/, or `index` for src/index.ts. */
  readonly name: string;
  /** Layers that it may import; itself goes without saying. */
  readonly layers: readonly string[];
  /** Packages that it may import. */
  readonly packages: readonly string[];
  /** Pure: no Node.js modules, clocks, timers, randomness or console. */
  readonly pure: boolean;
}

/** From the lowest up: a layer may only name layers that stand before it. */
export const LAYERS: readonly Layer[] = [
  { name: "base", layers: [], packages: [], pure: true },
  { name: "paxos", layers: ["base"], packages: [], pure: true },
  { name: "proto", layers: [], packages: ["@bufbuild/protobuf"], pure: true },
  { name: "machine", layers: ["base"], packages: [], pure: true },
  { name: "wire", layers: ["base", "paxos"], packages: [], pure: true },
  { name: "wal", layers: ["base", "paxos", "wire"], packages: [], pure: true },
  { name: "kv", layers: ["base", "machine", "proto"], packages: ["sorted-btree"], pure: true },
  { name: "replica", layers: ["base", "paxos", "machine", "wire", "wal"], packages: [], pure: true },
  {
    name: "io",
    layers: ["base", "paxos", "machine", "wire", "wal", "kv", "replica"],
    packages: ["lmdb"],
    pure: false,
  },
  {
    name: "sim",
    layers: ["base", "paxos", "proto", "machine", "wire", "wal", "kv", "replica"],
    packages: [],
    pure: true,
  },
  { name: "index", layers: ["base", "paxos", "machine", "wal", "replica", "io"], packages: [], pure: true },
  {
    name: "etcd",
    layers: ["base", "proto", "kv", "machine", "replica", "index"],
    packages: ["@grpc/grpc-js", "prom-client"],
    pure: false,
  },
  {
    name: "cli",
    layers: ["base", "proto", "machine", "kv", "replica", "io", "sim", "index", "etcd"],
    packages: ["@grpc/grpc-js", "commander", "pino", "pino-pretty", "yaml"],
    pure: false,
  },
];

export const MAX_FILE_LINES = 400;
export const MAX_FUNCTION_LINES = 70;
/** The formatter keeps code to 110 columns; a comment may be a little longer. */
export const MAX_COLUMNS = 120;
/** A line with a text in it: a sentence stays in one piece, so that it can be searched for. */
export const MAX_TEXT_COLUMNS = 200;

/** Files that may be longer, each with the reason. */
export const LONG_FILES: Readonly<Record<string, string>> = {};

/** Functions (`path name`) that may be longer, each with the reason. */
export const LONG_FUNCTIONS: Readonly<Record<string, string>> = {};

/** Written by a program: only its imports are checked. */
export const GENERATED = /^src\/proto\/gen\//;

/** Uses of the platform (`path word`) in a pure layer, each with the reason. */
export const PLATFORM_USES: Readonly<Record<string, string>> = {
  "src/kv/latin1.ts globalThis": "takes Node's Buffer where there is one, for speed; works without",
};
