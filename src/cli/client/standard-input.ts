// Standard input as a command reads it: whole, or line by line while someone types.
import { bytesOfText, textOfBytes } from "../format/utf8.js";
import type { NextLine } from "./txn-grammar.js";

export async function readAll(input: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of input) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}

/** A last line without its end is no line: nobody has said that it is whole. */
export function lineReader(input: AsyncIterable<Uint8Array>): { next: NextLine; end(): Promise<void> } {
  const chunks = input[Symbol.asyncIterator]();
  let rest: Uint8Array = new Uint8Array(0);
  const next: NextLine = async () => {
    for (;;) {
      const newline = rest.indexOf(0x0a);
      if (newline >= 0) {
        const line = textOfBytes(rest.subarray(0, newline));
        rest = rest.subarray(newline + 1);
        return line;
      }
      const chunk = await chunks.next();
      if (chunk.done === true) return null;
      rest = Buffer.concat([rest, chunk.value]);
    }
  };
  const end = async (): Promise<void> => {
    await chunks.return?.();
  };
  return { next, end };
}

/** The arguments of this process with bytes that are no UTF-8 kept (`format/utf8.ts`), which Node.js replaces. */
export function exactArguments(args: readonly string[], commandLine: () => Uint8Array): string[] {
  if (!args.some((arg) => arg.includes("\ufffd"))) return [...args];
  const exact: string[] = [];
  let start = 0;
  const bytes = commandLine();
  for (let end = bytes.indexOf(0); end >= 0; end = bytes.indexOf(0, start)) {
    exact.push(textOfBytes(bytes.subarray(start, end)));
    start = end + 1;
  }
  const own = exact.slice(-args.length);
  const isSame = own.every((arg, i) => Buffer.from(bytesOfText(arg)).toString("utf8") === args[i]);
  return isSame ? own : [...args];
}
