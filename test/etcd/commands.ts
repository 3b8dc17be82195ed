// The commands that are compared, in order: they build on each other's revisions, from a fresh store on.

export interface Comparison {
  readonly args: readonly string[];
  /** Standard input; empty when there is none. */
  readonly input: string;
  /** `leader`: asked of the leader. `all`: of every member; lines come in any order. `any`: of each member in turn. */
  readonly of: "any" | "leader" | "all";
  /**
   * Only our client is compared. etcdctl 3.4 sends the whole URL of a member as the authority of this call, which
   * HTTP/2 forbids and Node.js refuses; later ones do not.
   */
  readonly isOfClient?: true;
}

const FORMATS = ["simple", "json", "fields"];

/** Words between spaces; `''` is an empty word. */
function command(line: string, input = "", of: Comparison["of"] = "any"): Comparison {
  return { args: line.split(" ").map((word) => (word === "''" ? "" : word)), input, of };
}

function inEach(line: string, input = ""): Comparison[] {
  return FORMATS.map((format) => command(`${line} -w ${format}`, input));
}

const TXN_SUCCESS = `mod("a") > "0"
ver("a") = "1"
create("none") = "0"
value("b") != "x y"

put a "second value"
get a
get "" --prefix --limit=2
del b --prev-kv
put "new key" "two words"
get "new key" --keys-only

get a

`;

const TXN_FAILURE = `val("a") = "not this"
c("a") < "1"

put a never

get a
get none
del none
put from-failure "\\x00\\xff\\n" --prev-kv
put from-failure again --prev-kv=false

`;

const TXN_READ = '\nget a\nget "" --from-key --sort-by=modify --order=descend\n\n\n';

const write = (line: string, input = ""): Comparison => command(line, input);

export const COMPARISONS: readonly Comparison[] = [
  ...inEach("get nothing"),
  write("put a 1"),
  write("put a 2 --prev-kv"),
  write("put a 3 --prev-kv -w json"),
  write("put a 4 --prev-kv -w fields"),
  write("put b x -w json"),
  write("put b y -w fields"),
  write("put aa from-stdin"),
  write("put ab", "a value\nof two lines\n"),
  write("put ac <&>\u2028é\u{1f600} -w json"),
  write("put ad ''"),
  write("put zebra -- -5"),
  // After some puts: a fresh store shows no sizes and slots.
  ...["simple", "json", "fields", "table"].flatMap((format): Comparison[] => [
    command(`endpoint status -w ${format}`, "", "leader"),
    command(`endpoint status -w ${format}`, "", "all"),
    command(`endpoint health -w ${format}`, "", "leader"),
    command(`endpoint health -w ${format}`, "", "all"),
    command(`endpoint health --cluster -w ${format}`, "", "all"),
    { ...command(`endpoint status --cluster -w ${format}`, "", "all"), isOfClient: true },
    command(`member list -w ${format}`, "", "all"),
    command(`member list --hex -w ${format}`, "", "all"),
  ]),
  write("put b --ignore-value --prev-kv"),
  write("put b z --ignore-lease"),
  ...inEach("get a"),
  ...inEach("get '' --prefix"),
  ...inEach("get a --prefix"),
  ...inEach("get aa --from-key"),
  ...inEach("get a ac"),
  ...inEach("get ac a"),
  ...inEach("get '' --prefix --limit 2"),
  ...inEach("get '' --prefix --keys-only"),
  ...inEach("get '' --prefix --rev 4"),
  ...inEach("get a --rev=2"),
  ...["key", "version", "create", "modify", "value"].flatMap((target) => [
    command(`get '' --from-key --sort-by=${target}`),
    command(`get '' --from-key --sort-by=${target} --order=DESCEND -w json`),
    command(`get '' --from-key --sort-by=${target} --order=ascend --limit=3 -w fields`),
  ]),
  command("get a --consistency=s"),
  command("get a --hex"),
  command("get '' --prefix --print-value-only"),
  command("get '' --prefix --hex --print-value-only"),
  command("get a --limit=-1"),
  command("get a --rev=1"),
  command("get a --rev=1000000"),
  ...inEach("txn", TXN_READ),
  ...inEach("txn", TXN_FAILURE),
  command("txn -i", 'mod("a") = "0"\n\nget a\n\nget b\n\n'),
  write("put a 1"),
  write("del a -w json"),
  write("put a again"),
  write("put b again"),
  command("txn", TXN_SUCCESS),
  command("txn -w json", TXN_SUCCESS),
  command("txn -w fields", TXN_SUCCESS),
  command("txn", "\nput a 1\nput a 2\n\n\n"),
  command("txn", "\nput a 1\ndel a\n\n\n"),
  command("txn", "\ndel a\ndel a\n\n\n"),
  command("txn", `\n${"get a\n".repeat(128)}\n\n`),
  command("txn", `\n${"get a\n".repeat(129)}\n\n`),
  command("txn", "\nget a --rev=1000000\n\n\n"),
  command("txn", '\nput "" 1\n\n\n'),
  command("txn", 'foo("a") > "0"\n\n\n\n'),
  command("txn", 'mod("a") > "b"\n\n\n\n'),
  command("txn", "mod(a) > 0\n\n\n\n"),
  command("txn", "\nfoo a\n\n\n"),
  write("put ad more"),
  write("put ad most"),
  ...["simple", "json", "fields"].flatMap((format) => [
    write(`del nothing -w ${format}`),
    write(`put ae 1 -w ${format}`),
    write(`del ae --prev-kv -w ${format}`),
  ]),
  write("del aa ac --prev-kv"),
  write("del aa --prefix"),
  write("put '' x"),
  write("put missing --ignore-value"),
  write("put missing x --ignore-lease"),
  write("put missing x --lease=12"),
  write("put missing x --lease=zz"),
  write("put"),
  write("put b value --ignore-value"),
  command("get"),
  command("get a --prefix --from-key"),
  command("get a b --prefix"),
  command("get a --order=sideways"),
  command("get a --sort-by=colour"),
  command("get a --consistency=x"),
  command("get a -w table"),
  command("get a -w yaml"),
  command("get '' --prefix --print-value-only -w json"),
  write("del"),
  write("del a b c"),
  command("txn surplus"),
  write("compaction 5"),
  write("compaction 5"),
  write("compaction 7 --physical"),
  write("compaction 1000000"),
  write("compaction"),
  command("get a --rev=4"),
  command("get '' --prefix --rev=7"),
  write("del '' --prefix --prev-kv"),
  write("del '' --from-key -w json"),
  ...inEach("get '' --prefix"),
];
