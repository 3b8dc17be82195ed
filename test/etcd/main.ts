// `npm run test:etcd`: the same commands through etcdctl against etcd, through etcdctl against Synod, and through
// `synod` against etcd; all three must say the same. It needs etcd and etcdctl 3.4, and fails without them.
import { type Cluster, type Ran, runEtcdctl, runSynod, startEtcd, startSynod } from "./clusters.js";
import { COMPARISONS, type Comparison } from "./commands.js";
import { mask, maskOrder } from "./mask.js";

type Client = (args: readonly string[], input: string) => Promise<Ran>;

async function runAll(start: () => Promise<Cluster>, client: Client): Promise<Ran[]> {
  const cluster = await start();
  try {
    const results: Ran[] = [];
    for (const [number, { args, input, of }] of COMPARISONS.entries()) {
      const { endpoints } = cluster;
      const asked = {
        all: endpoints.join(","),
        leader: endpoints[0],
        any: endpoints[number % endpoints.length],
      };
      results.push(await client([`--endpoints=${asked[of]}`, ...args], input));
    }
    return results;
  } finally {
    await cluster.stop();
  }
}

/** Synod has one exit status for wrong usage, where etcdctl has 3, 4 and 128, and a usage line with it. */
function asSynod(ran: Ran): Ran {
  const isUsage = [3, 4, 128].includes(ran.status);
  return { status: isUsage ? 2 : ran.status, output: ran.output.replace(/^Usage: .*\n/gm, "") };
}

function textOf({ of }: Comparison, ran: Ran): string {
  return `${(of === "all" ? maskOrder : mask)(ran.output)}[exit status ${ran.status}]`;
}

class Tally {
  passed = 0;
  failed = 0;
}

function compare(
  what: string,
  chosen: (comparison: Comparison) => boolean,
  [expected, actual]: readonly [readonly Ran[], readonly Ran[]],
  tally: Tally,
): void {
  for (const [number, comparison] of COMPARISONS.entries()) {
    if (!chosen(comparison)) continue;
    const [want, have] = [expected[number]!, actual[number]!].map((ran) => textOf(comparison, ran));
    if (want === have) {
      tally.passed += 1;
      continue;
    }
    tally.failed += 1;
    console.log(`\n${what} differs: ${comparison.args.map((word) => JSON.stringify(word)).join(" ")}`);
    if (comparison.input !== "") console.log(`  with ${JSON.stringify(comparison.input)}`);
    console.log(`expected:\n${want}\nbut was:\n${have}`);
  }
}

async function main(): Promise<number> {
  const version = await runEtcdctl(["version"]).catch(() => null);
  if (!version?.output.includes("etcdctl version: 3.4")) {
    console.error("test:etcd needs etcd and etcdctl 3.4: install Debian's etcd-server and etcd-client");
    return 1;
  }
  const reference = await runAll(startEtcd, runEtcdctl);
  const client = await runAll(startEtcd, runSynod);
  const tally = new Tally();
  compare("synod against etcd", () => true, [reference.map(asSynod), client.map(asSynod)], tally);
  const server = await runAll(startSynod, runEtcdctl);
  compare("etcdctl against Synod", ({ isOfClient }) => isOfClient !== true, [reference, server], tally);
  // In the words of Node's test runner too, from which `.ci/run` sums up.
  const { passed, failed } = tally;
  console.log(`\npass ${passed}\nfail ${failed}\n${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = await main();
