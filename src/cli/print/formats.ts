// The formats of `--write-out` by name.
import { unreachable } from "../../base/assert.js";
import { UsageError } from "../failures.js";
import { fieldsPrinter } from "./fields-printer.js";
import { jsonPrinter } from "./json-printer.js";
import type { ClusterPrinter, KvPrinter, Printer } from "./printer.js";
import { simplePrinter } from "./simple-printer.js";
import { tablePrinter } from "./table-printer.js";

export const FORMATS = ["simple", "json", "table", "fields"] as const;
export type Format = (typeof FORMATS)[number];

export function formatOf(name: string): Format {
  const format = FORMATS.find((known) => known === name);
  if (format === undefined) throw new UsageError("unsupported output format");
  return format;
}

/** Keys and values have no table, as in etcdctl; refused before anything is sent. */
export function kvPrinter(format: Format, isHex: boolean): KvPrinter {
  if (format === "table") throw new UsageError("table not supported as output format");
  return printerOf(format, isHex);
}

export function clusterPrinter(format: Format): ClusterPrinter {
  return format === "table" ? tablePrinter : printerOf(format, false);
}

function printerOf(format: Exclude<Format, "table">, isHex: boolean): Printer {
  switch (format) {
    case "simple":
      return simplePrinter(isHex);
    case "json":
      return jsonPrinter;
    case "fields":
      return fieldsPrinter;
    default:
      return unreachable(format);
  }
}
