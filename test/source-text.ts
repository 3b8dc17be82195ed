// Reads TypeScript just well enough for `tidy.test.ts`: blanks comments and strings, finds imports and
// functions. Blanked text keeps every line and column, so that a finding can say where it is.

export interface SourceFile {
  /** From the root of the project, with slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Import {
  readonly line: number;
  readonly from: string;
}

export interface FunctionSpan {
  readonly name: string;
  readonly line: number;
  /** From the line of its opening brace to that of its closing brace. */
  readonly lines: number;
  /** `lines` without those of the functions inside it. */
  readonly ownLines: number;
}

const REGEXP_MAY_FOLLOW = /(?:^|[(,=:[!&|?{};+\n>]|\breturn|\bcase|\bof)\s*$/;

/** How many characters from `at` on are one string, regular expression or comment; 0: none starts there. */
function literalLength(text: string, at: number): number {
  const two = text.slice(at, at + 2);
  if (two === "//") return endOf(text, "\n", at) - at;
  if (two === "/*") return endOf(text, "*/", at + 2) + 2 - at;
  const first = text[at];
  if (first === '"' || first === "'") return closing(text, at, first);
  if (first === "/" && REGEXP_MAY_FOLLOW.test(text.slice(Math.max(0, at - 40), at))) return regexp(text, at);
  return 0;
}

function endOf(text: string, mark: string, from: number): number {
  const at = text.indexOf(mark, from);
  return at < 0 ? text.length : at;
}

function closing(text: string, at: number, quote: string): number {
  let i = at + 1;
  while (i < text.length && text[i] !== quote && text[i] !== "\n") i += text[i] === "\\" ? 2 : 1;
  return Math.min(i + 1, text.length) - at;
}

function regexp(text: string, at: number): number {
  let inClass = false;
  for (let i = at + 1; i < text.length && text[i] !== "\n"; i += 1) {
    if (text[i] === "\\") i += 1;
    else if (text[i] === "[") inClass = true;
    else if (text[i] === "]") inClass = false;
    else if (text[i] === "/" && !inClass) return i + 1 - at;
  }
  return 0;
}

const blanked = (text: string): string => text.replace(/[^\n]/g, " ");

/** The code alone: comments, strings and regular expressions become spaces; `${...}` in a template stays. */
export function codeOf(text: string): string {
  let code = "";
  let at = 0;
  /** Open braces since each template expression was entered; empty: not in a template. */
  const depths: number[] = [];
  const skipTemplateText = (): void => {
    const start = at;
    while (at < text.length) {
      if (text[at] === "\\") at += 2;
      else if (text[at] === "`") {
        at += 1;
        break;
      } else if (text.startsWith("${", at)) {
        depths.push(0);
        at += 2;
        break;
      } else at += 1;
    }
    code += blanked(text.slice(start, at));
  };
  while (at < text.length) {
    const length = literalLength(text, at);
    if (length > 0) {
      code += blanked(text.slice(at, at + length));
      at += length;
      continue;
    }
    const char = text[at]!;
    at += 1;
    const depth = depths.at(-1);
    if (char === "`") {
      code += " ";
      skipTemplateText();
    } else if (char === "}" && depth === 0) {
      depths.pop();
      code += " ";
      skipTemplateText();
    } else {
      if (depth !== undefined && char === "{") depths[depths.length - 1] = depth + 1;
      if (depth !== undefined && char === "}") depths[depths.length - 1] = depth - 1;
      code += char;
    }
  }
  return code;
}

export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

/** Every module named by `import`, `export ... from` and `import(...)`; what stands in strings does not count. */
export function importsOf(text: string): Import[] {
  const code = codeOf(text);
  const found: Import[] = [];
  for (const match of text.matchAll(/(?<!\.)\b(from|import)\s*\(?\s*"([^"\n]+)"/g)) {
    if (!code.startsWith(match[1]!, match.index)) continue;
    found.push({ line: lineAt(text, match.index), from: match[2]! });
  }
  return found;
}

/** A brace after it opens a type or an object literal, which may be within the header of a function. */
const PARTIAL = /[:|&<,(=?]\s*$/;
const CONTROL =
  /^(?:\}\s*)?(?:else\b|if\b|for\b|while\b|switch\b|do\b|try\b|catch\b|finally\b|class\b|with\b)/;
const DECLARED = /\bfunction\s*\*?\s*([\w$]+)|(?:^|\s)(?:async\s+)?\*?([#\w$]+)\s*(?:<[^()]*>)?\(/;
const ASSIGNED = /(?:const|let)\s+([\w$]+)[^=]*=/;

/** Every function with a body, by its braces; `describe` and the like count as what they are: functions. */
export function functionsOf(text: string): FunctionSpan[] {
  const code = codeOf(text);
  const spans: FunctionSpan[] = [];
  const open: { name: string | null; line: number; inner: number; header: string }[] = [];
  let line = 1;
  let header = "";
  for (const char of code) {
    if (char === "\n") line += 1;
    if (char === "{") {
      const isPartOfHeader = PARTIAL.test(header);
      const name = isPartOfHeader ? null : functionName(header.trim());
      open.push({ name, line, inner: 0, header: isPartOfHeader ? `${header}{}` : "" });
      header = "";
    } else if (char === "}") {
      const block = open.pop();
      if (block !== undefined) {
        const lines = line - block.line + 1;
        const isFunction = block.name !== null;
        if (isFunction) {
          spans.push({ name: block.name!, line: block.line, lines, ownLines: lines - block.inner });
        }
        const parent = open.at(-1);
        if (parent) parent.inner += isFunction ? lines : block.inner;
      }
      header = block?.header ?? "";
    } else if (char === ";") header = "";
    else header += char;
  }
  return spans;
}

/** The name of the function whose body opens after `header`; null: it opens something else. */
function functionName(header: string): string | null {
  if (header.endsWith("=>")) return (ASSIGNED.exec(header) ?? DECLARED.exec(header))?.[1] ?? "=>";
  if (
    !/\)\s*(?::[^=]*)?$/.test(header) ||
    CONTROL.test(header) ||
    /\b(?:interface|type|enum|namespace)\s/.test(header)
  )
    return null;
  const match = DECLARED.exec(header);
  return match?.[1] ?? match?.[2] ?? null;
}
