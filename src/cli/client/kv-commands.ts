// `put`, `get`, `del`, `txn` and `compaction`: a request each, and its response printed.
import { Command } from "commander";
import { KVDefinition } from "../../proto/gen/rpc.js";
import { UsageError } from "../failures.js";
import { kvPrinter } from "../print/formats.js";
import { parseInteger } from "./go-numbers.js";
import { delCommand, getCommand, putCommand } from "./request-commands.js";
import {
  type DelFlags,
  delRequest,
  type GetFlags,
  getRequest,
  type PutFlags,
  putRequest,
} from "./requests.js";
import { type ClientFlags, print, withConnection } from "./session.js";
import { lineReader, readAll } from "./standard-input.js";
import { readTxn } from "./txn-grammar.js";

const { methods } = KVDefinition;

export function addKvCommands(program: Command): void {
  for (const command of [put(), get(), del(), txn(), compaction()]) program.addCommand(command);
}

function put(): Command {
  const command = putCommand();
  return command.action(async () => {
    const flags = command.optsWithGlobals<ClientFlags & PutFlags>();
    const printer = kvPrinter(flags.writeOut, flags.hex === true);
    const needsInput = command.args.length === 1 && !flags.ignoreValue;
    const input = needsInput ? await readAll(process.stdin) : new Uint8Array(0);
    const request = putRequest(command.args, flags, () => input);
    const response = await withConnection(flags, (to) => to.write(KVDefinition, methods.put, request));
    print(printer.put(response));
  });
}

function get(): Command {
  const command = getCommand();
  return command.action(async () => {
    const flags = command.optsWithGlobals<ClientFlags & GetFlags>();
    const request = getRequest(command.args, flags);
    if (flags.countOnly && flags.writeOut !== "fields") {
      throw new UsageError("--count-only is only for `--write-out=fields`");
    }
    if (flags.printValueOnly && flags.writeOut !== "simple") {
      throw new UsageError("print-value-only is only for `--write-out=simple`");
    }
    const printer = kvPrinter(flags.writeOut, flags.hex === true);
    const response = await withConnection(flags, (to) => to.read(KVDefinition, methods.range, request));
    print(printer.get(response, flags.printValueOnly === true));
  });
}

function del(): Command {
  const command = delCommand();
  return command.action(async () => {
    const flags = command.optsWithGlobals<ClientFlags & DelFlags>();
    const printer = kvPrinter(flags.writeOut, flags.hex === true);
    const request = delRequest(command.args, flags);
    const response = await withConnection(flags, (to) =>
      to.write(KVDefinition, methods.deleteRange, request),
    );
    print(printer.del(response));
  });
}

const TXN_HELP = `
Reads from standard input: comparisons, an empty line, requests for when all of them hold, an empty
line, requests for when one does not, an empty line. For example:

  value("key1") = "old"
  mod("key2") > "0"

  put key1 "new"

  get key1 --rev=5
  del key2 --prefix

Comparisons are of value, version (ver), create, mod and lease, by = != < or >.`;

function txn(): Command {
  const command = new Command("txn")
    .description("Txn processes all the requests in one transaction")
    .usage("[options]")
    .option("-i, --interactive", "say what is to be typed next")
    .allowExcessArguments()
    .addHelpText("after", TXN_HELP);
  return command.action(async () => {
    if (command.args.length > 0) throw new UsageError("txn command does not accept argument");
    const flags = command.optsWithGlobals<ClientFlags & { interactive?: boolean }>();
    const printer = kvPrinter(flags.writeOut, flags.hex === true);
    const lines = lineReader(process.stdin);
    const prompt = (text: string): void => {
      if (flags.interactive) print([`${text}\n`]);
    };
    const request = await readTxn(lines.next, prompt).finally(lines.end);
    const response = await withConnection(flags, (to) => to.write(KVDefinition, methods.txn, request));
    print(printer.txn(response));
  });
}

function compaction(): Command {
  const command = new Command("compaction")
    .description("Compacts the event history: revisions before the one given can no longer be read")
    .argument("[revision]")
    .usage("[options] <revision>")
    .option("--physical", "wait until the old revisions are removed")
    .allowExcessArguments();
  return command.action(async () => {
    const [text] = command.args;
    if (text === undefined || command.args.length > 1) {
      throw new UsageError("compaction command needs 1 argument");
    }
    const parsed = parseInteger(text, 10);
    if ("fault" in parsed) throw new UsageError(parsed.fault);
    const flags = command.optsWithGlobals<ClientFlags & { physical?: boolean }>();
    const request = { revision: Number(parsed.value), physical: flags.physical === true };
    await withConnection(flags, (to) => to.write(KVDefinition, methods.compact, request));
    print([`compacted revision ${parsed.value}\n`]);
  });
}
