// What every client command needs: the flags that all of them take, a connection, and a place for the output.
import type { Command } from "commander";
import { Option } from "commander";
import { UsageError } from "../failures.js";
import { parseDuration } from "../format/go-duration.js";
import { type Format, formatOf } from "../print/formats.js";
import type { Output } from "../print/printer.js";
import { Connection } from "./connection.js";

export interface ClientFlags {
  readonly endpoints: readonly string[];
  readonly commandTimeout: number;
  readonly dialTimeout: number;
  readonly writeOut: Format;
  readonly hex?: boolean;
}

export function addClientFlags(program: Command): void {
  program
    .addOption(
      new Option("--endpoints <list>", "where to reach the cluster, with commas between")
        .env("SYNOD_ENDPOINTS")
        .default(["127.0.0.1:2379"], "127.0.0.1:2379")
        .argParser((text) => text.split(",").filter((endpoint) => endpoint !== "")),
    )
    .addOption(durationOption("--command-timeout", "time for a command, without dialling", 5_000))
    .addOption(durationOption("--dial-timeout", "time for connecting to an endpoint", 2_000))
    .addOption(
      new Option("-w, --write-out <format>", "how to print: simple, json, table or fields")
        .env("SYNOD_WRITE_OUT")
        .default("simple")
        .argParser(formatOf),
    )
    .option("--hex", "print keys and values as hexadecimal, in the simple format");
}

function durationOption(flag: string, description: string, standardMs: number): Option {
  return new Option(`${flag} <duration>`, description)
    .env(`SYNOD_${flag.slice(2).replaceAll("-", "_").toUpperCase()}`)
    .default(standardMs, `${standardMs / 1000}s`)
    .argParser((text) => {
      const duration = parseDuration(text);
      if (duration !== null && duration >= 0) return duration;
      throw new UsageError(
        `invalid argument ${JSON.stringify(text)} for "${flag}" flag: give e.g. 5s or 500ms`,
      );
    });
}

export function connect(flags: ClientFlags, endpoints: readonly string[] = flags.endpoints): Connection {
  return new Connection({
    endpoints,
    commandTimeoutMs: flags.commandTimeout,
    dialTimeoutMs: flags.dialTimeout,
  });
}

/** Runs `work` with a connection that is closed afterwards. */
export async function withConnection<T>(
  flags: ClientFlags,
  work: (connection: Connection) => Promise<T>,
  endpoints?: readonly string[],
): Promise<T> {
  const connection = connect(flags, endpoints);
  try {
    return await work(connection);
  } finally {
    connection.close();
  }
}

export function print(output: Output, to: NodeJS.WritableStream = process.stdout): void {
  const bytes = output.map((piece) => (typeof piece === "string" ? Buffer.from(piece) : piece));
  to.write(Buffer.concat(bytes));
}
