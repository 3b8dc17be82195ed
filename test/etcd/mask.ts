// What may differ between two clusters: ids, sizes, slots, terms, versions, times, names and addresses, and with
// them the widths of a table's columns.

const MASKS: readonly (readonly [RegExp, string])[] = [
  // etcd's client logs beside what the command prints.
  [/^\{"level".*\n/gm, ""],
  [/(?:http:\/\/)?127\.0\.0\.1:\d+/g, "ADDRESS"],
  [/\breplica-\d\b/g, "NAME"],
  // JSON; a nested header has none of them.
  [/"(cluster_id|member_id|raft_term|leader|ID)":[1-9]\d*/g, '"$1":N'],
  [/"(dbSize|dbSizeInUse|raftIndex|raftTerm|raftAppliedIndex)":[1-9]\d*/g, '"$1":N'],
  [/"version":"[\d.]+"/g, '"version":"V"'],
  [/"took":"[\d.]+[mµ]?s"/g, '"took":"T"'],
  // Fields.
  [/^"(ClusterID|MemberID|RaftTerm|RaftIndex|RaftAppliedIndex|DBSize|Leader|ID)" : [1-9]\d*$/gm, '"$1" : N'],
  [/^"Version" : "[\d.]+"$/gm, '"Version" : "V"'],
  [/^"Took" : [\d.]+[mµ]?s$/gm, '"Took" : T'],
  // Lines and tables.
  [/took = [\d.]+[mµ]?s/g, "took = T"],
  [/-{2,}/g, "-"],
  [/ {2,}/g, " "],
  [/^\| ADDRESS \| (true|false) \| [\d.]+[mµ]?s \|/gm, "| ADDRESS | $1 | T |"],
  [/\b[\da-f]{12,16}(?=,| \|)/g, "ID"],
  [/ID(,| \|) \d\.\d+\.\d+(,| \|) [\d.]+ [kMG]?B/g, "ID$1 V$2 SIZE"],
  [/((?:true|false)(?:,| \|)) \d+(,| \|) \d+(,| \|) \d+/g, "$1 N$2 N$3 N"],
];

export function mask(text: string): string {
  return MASKS.reduce((masked, [pattern, by]) => masked.replace(pattern, by), text);
}

/** For what is asked of all members: who comes first, and who leads, is not the same. */
export function maskOrder(text: string): string {
  const rows = mask(text)
    .replace(/^\[?(.*?)\]?$/gm, "$1")
    .replaceAll("},{", "},\n{");
  return rows.split("\n").sort().join("\n");
}
