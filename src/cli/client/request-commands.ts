// The flags of `put`, `get` and `del` as commander knows them: one definition for the command line and for
// the lines of a transaction.
import { Command } from "commander";
import { UsageError } from "../failures.js";
import { parseInteger } from "./go-numbers.js";

export function putCommand(): Command {
  return new Command("put")
    .description("Puts the given key into the store")
    .argument("[key]")
    .argument("[value]", "read from standard input when it is not given")
    .usage("[options] <key> <value> (<value> can also be given from stdin)")
    .option("--ignore-lease", "updates the key using its current lease")
    .option("--ignore-value", "updates the key using its current value")
    .option("--lease <id>", "lease ID (in hexadecimal) to attach to the key", "0")
    .option("--prev-kv", "return the previous key-value pair before modification")
    .allowExcessArguments();
}

export function getCommand(): Command {
  return new Command("get")
    .description("Gets the key or a range of keys")
    .argument("[key]")
    .argument("[range_end]")
    .usage("[options] <key> [range_end]")
    .option("--consistency <level>", "Linearizable(l) or Serializable(s)", "l")
    .option("--count-only", "Get only the count")
    .option("--from-key", "Get keys that are greater than or equal to the given key using byte compare")
    .option("--keys-only", "Get only the keys")
    .option("--limit <count>", "Maximum number of results", integerFlag("--limit"), 0)
    .option("--order <order>", "Order of results; ASCEND or DESCEND (ASCEND by default)", "")
    .option("--prefix", "Get keys with matching prefix")
    .option("--print-value-only", 'Only write values when using the "simple" output format')
    .option("--rev <revision>", "Specify the kv revision", integerFlag("--rev"), 0)
    .option("--sort-by <target>", "Sort target; CREATE, KEY, MODIFY, VALUE, or VERSION", "")
    .allowExcessArguments();
}

export function delCommand(): Command {
  return new Command("del")
    .description("Removes the specified key or range of keys [key, range_end)")
    .argument("[key]")
    .argument("[range_end]")
    .usage("[options] <key> [range_end]")
    .option("--from-key", "delete keys that are greater than or equal to the given key using byte compare")
    .option("--prefix", "delete keys with matching prefix")
    .option("--prev-kv", "return deleted key-value pairs")
    .allowExcessArguments();
}

/** A flag's whole number, held to what JavaScript counts exactly. */
export function integerFlag(flag: string): (text: string) => number {
  return (text) => {
    const parsed = parseInteger(text, 0);
    if ("fault" in parsed) {
      throw new UsageError(`invalid argument ${JSON.stringify(text)} for "${flag}" flag: ${parsed.fault}`);
    }
    const value = Number(parsed.value);
    if (Number.isSafeInteger(value)) return value;
    throw new UsageError(`invalid argument ${JSON.stringify(text)} for "${flag}" flag: it is over 2^53`);
  };
}
