// Tables in the text of a document: each row stands alone, with the names of its columns ("| Zone: 3 | Price: 23.95 |").

export interface Cell {
  text: string;
  // Where the cell's text stands in the text of the document.
  start: number;
}

export type Piece = { text: string; start: number } | { columns: string[]; rows: Cell[][] };

const ROW = /^\|(?: [^|\n]*? \|)+$/;

// The text in pieces: runs of lines that are rows with the same columns, and what stands between them.
export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let start = 0;
  for (const line of text.split(/(?<=\n)/)) {
    const row = cells(line, start);
    const last = found.at(-1);
    if (row) {
      const columns = row.map(([name]) => name);
      const made = row.map(([, cell]) => cell);
      if (last && "columns" in last && last.columns.join("|") === columns.join("|")) last.rows.push(made);
      else found.push({ columns, rows: [made] });
    } else if (last && "columns" in last && !line.trim()) {
      // Between the rows of one table nothing else stands.
    } else if (last && !("columns" in last)) {
      last.text += line;
    } else {
      found.push({ text: line, start });
    }
    start += line.length;
  }
  return found;
}

export interface Line {
  text: string;
  start: number;
  heading: boolean;
}

const HEADING = /^#{1,6} +(\S[^\n]*)/gm;
// In code a line that begins with a hash is a remark.
const PROSE = /\.(md|markdown|txt|rst|adoc|pdf|docx?|odt|rtf|html?|epub|pptx?|odp|eml)$/i;

// Text that stands at `start` of the document called `name`, with headings apart and without their marks.
export function headed(text: string, start: number, name: string): Line[] {
  const found: Line[] = [];
  let at = 0;
  for (const match of PROSE.test(name) ? text.matchAll(HEADING) : []) {
    const title = match[1]!;
    const from = match.index + match[0].length - title.length;
    if (match.index > at) found.push({ text: text.slice(at, match.index), start: start + at, heading: false });
    found.push({ text: title, start: start + from, heading: true });
    at = from + title.length;
  }
  if (at < text.length) found.push({ text: text.slice(at), start: start + at, heading: false });
  return found;
}

function cells(line: string, start: number): [string, Cell][] | undefined {
  const written = line.trimEnd();
  if (!ROW.test(written)) return undefined;
  const found: [string, Cell][] = [];
  let at = 1;
  for (const part of written.slice(1, -1).split("|")) {
    const cut = part.indexOf(": ");
    const from = cut < 0 ? 0 : cut + 2;
    const value = part.slice(from);
    const blank = value.length - value.trimStart().length;
    found.push([cut < 0 ? "" : part.slice(0, cut).trim(), { text: value.trim(), start: start + at + from + blank }]);
    at += part.length + 1;
  }
  return found.some(([name]) => name !== "") ? found : undefined;
}
