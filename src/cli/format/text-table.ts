// Tables with borders as etcdctl draws them: heads in capitals and centred, cells at the right, and cells
// over 30 columns broken at their spaces so that the lines come out even.

const MAX_WIDTH = 30;

export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const heads = head.map((title) => [title.toUpperCase()]);
  const cells = rows.map((row) => row.map(brokenLines));
  const widths = head.map((_, column) => {
    // A broken text takes its 30 columns also where no line of it comes out that long.
    const unbroken = rows.map((row) => Math.min(MAX_WIDTH, columns(row[column]!)));
    return Math.max(...unbroken, ...[heads, ...cells].flatMap((row) => row[column]!.map(columns)));
  });
  const border = `+${widths.map((width) => "-".repeat(width + 2)).join("+")}+\n`;
  const body = cells.map((row) => renderRow(row, widths, alignRight)).join("");
  return `${border}${renderRow(heads, widths, centre)}${border}${body}${rows.length === 0 ? "" : border}`;
}

const columns = (text: string): number => [...text].length;

type Align = (text: string, width: number) => string;

const alignRight: Align = (text, width) => " ".repeat(width - columns(text)) + text;

const centre: Align = (text, width) => {
  const gap = width - columns(text);
  const left = Math.floor(gap / 2);
  return " ".repeat(left) + text + " ".repeat(gap - left);
};

function renderRow(cells: readonly (readonly string[])[], widths: readonly number[], align: Align): string {
  const height = Math.max(...cells.map((lines) => lines.length));
  let text = "";
  for (let line = 0; line < height; line += 1) {
    const parts = cells.map((lines, column) => ` ${align(lines[line] ?? "", widths[column]!)} `);
    text += `|${parts.join("|")}|\n`;
  }
  return text;
}

/** Breaks at spaces with the least sum of squared blanks; a word over the limit sets the limit. */
function brokenLines(text: string): string[] {
  const words = text.trim().split(/\s+/);
  const limit = Math.max(MAX_WIDTH, ...words.map(columns));
  const best: { cost: number; end: number }[] = new Array(words.length + 1);
  for (let start = words.length - 1; start >= 0; start -= 1) {
    best[start] = { cost: Number.POSITIVE_INFINITY, end: words.length };
    let width = -1;
    for (let end = start + 1; end <= words.length; end += 1) {
      width += 1 + columns(words[end - 1]!);
      if (width > limit) break;
      const cost = end === words.length ? 0 : (limit - width) ** 2 + best[end]!.cost;
      if (cost < best[start]!.cost || end === words.length) best[start] = { cost, end };
    }
  }
  const lines: string[] = [];
  for (let at = 0; at < words.length; at = best[at]!.end)
    lines.push(words.slice(at, best[at]!.end).join(" "));
  return lines;
}
