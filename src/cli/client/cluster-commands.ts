// `endpoint status`, `endpoint health` and `member list`: what the servers say of themselves.
import { Command } from "commander";
import { ClusterDefinition, KVDefinition, MaintenanceDefinition } from "../../proto/gen/rpc.js";
import { CommandFailed } from "../failures.js";
import { clusterPrinter } from "../print/formats.js";
import type { EndpointHealth, EndpointStatus } from "../print/printer.js";
import { getRequest } from "./requests.js";
import { type ClientFlags, print, withConnection } from "./session.js";

interface EndpointFlags extends ClientFlags {
  readonly cluster?: boolean;
}

export function addClusterCommands(program: Command): void {
  const endpoint = new Command("endpoint")
    .description("Endpoint related commands")
    .usage("<subcommand> [options]");
  program.addCommand(endpoint.addCommand(endpointStatus()).addCommand(endpointHealth()));
  const member = new Command("member")
    .description("Membership related commands")
    .usage("<subcommand> [options]");
  program.addCommand(member.addCommand(memberList()));
}

const CLUSTER_FLAG = ["--cluster", "use all endpoints from the cluster member list"] as const;

function endpointStatus(): Command {
  const command = new Command("status")
    .description("Prints out the status of endpoints specified in `--endpoints` flag")
    .option(...CLUSTER_FLAG)
    .allowExcessArguments();
  return command.action(async () => {
    const flags = command.optsWithGlobals<EndpointFlags>();
    const list: EndpointStatus[] = [];
    const faults: string[] = [];
    for (const endpoint of await endpointsOf(flags)) {
      try {
        list.push({ endpoint, status: await statusOf(flags, endpoint) });
      } catch (error) {
        if (!(error instanceof CommandFailed)) throw error;
        faults.push(`Failed to get the status of endpoint ${endpoint} (${error.message})`);
      }
    }
    print(
      faults.map((fault) => `${fault}\n`),
      process.stderr,
    );
    print(clusterPrinter(flags.writeOut).endpointStatus(list));
    if (faults.length > 0) process.exitCode = 1;
  });
}

function statusOf(flags: ClientFlags, endpoint: string): Promise<EndpointStatus["status"]> {
  const { methods } = MaintenanceDefinition;
  return withConnection(flags, (to) => to.read(MaintenanceDefinition, methods.status, {}), [endpoint]);
}

function endpointHealth(): Command {
  const command = new Command("health")
    .description("Checks the healthiness of endpoints specified in `--endpoints` flag")
    .option(...CLUSTER_FLAG)
    .allowExcessArguments();
  return command.action(async () => {
    const flags = command.optsWithGlobals<EndpointFlags>();
    const endpoints = await endpointsOf(flags);
    const list = await Promise.all(endpoints.map((endpoint) => healthOf(flags, endpoint)));
    // The simple lines go to standard error, as etcdctl 3.4 has it.
    const to = flags.writeOut === "simple" ? process.stderr : process.stdout;
    print(clusterPrinter(flags.writeOut).endpointHealth(list), to);
    if (list.some((one) => !one.isHealthy)) throw new CommandFailed("unhealthy cluster");
  });
}

/** An endpoint is healthy when it answers a linearizable read, whatever the answer. */
async function healthOf(flags: ClientFlags, endpoint: string): Promise<EndpointHealth> {
  const request = getRequest(["health"], { rev: 0, limit: 0, sortBy: "", order: "", consistency: "l" });
  const start = process.hrtime.bigint();
  const error = await withConnection(
    flags,
    (to) => to.read(KVDefinition, KVDefinition.methods.range, request).then(() => "", failureText),
    [endpoint],
  );
  return { endpoint, isHealthy: error === "", took: process.hrtime.bigint() - start, error };
}

function failureText(error: unknown): string {
  if (error instanceof CommandFailed) return error.message;
  throw error;
}

async function endpointsOf(flags: EndpointFlags): Promise<readonly string[]> {
  if (!flags.cluster) return flags.endpoints;
  const { methods } = ClusterDefinition;
  const request = { linearizable: true };
  const response = await withConnection(flags, (to) =>
    to.read(ClusterDefinition, methods.memberList, request).catch((error: unknown) => {
      throw new CommandFailed(`failed to fetch endpoints from cluster member list: ${failureText(error)}`);
    }),
  );
  return response.members.flatMap((member) => member.clientURLs);
}

function memberList(): Command {
  const command = new Command("list").description("Lists all members in the cluster").allowExcessArguments();
  return command.action(async () => {
    const flags = command.optsWithGlobals<ClientFlags>();
    const request = { linearizable: true };
    const { methods } = ClusterDefinition;
    const response = await withConnection(flags, (to) =>
      to.read(ClusterDefinition, methods.memberList, request),
    );
    print(clusterPrinter(flags.writeOut).memberList(response));
  });
}
