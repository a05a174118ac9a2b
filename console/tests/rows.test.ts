import { expect, test } from "vitest";
import { headed, pieces } from "../src/lib/rows";

const TEXT = "Rates\n\n| Zone: 1 | Express: 9.95 |\n\n| Zone: 2 | Express: 23.95 |\n\n| City: Leeds |\nAfter it.\n";

test("rows with the same columns are one table, and each cell knows where it stands", () => {
  const found = pieces(TEXT);
  expect(found.map((piece) => ("columns" in piece ? piece.columns : piece.text))).toEqual(["Rates\n\n", ["Zone", "Express"], ["City"], "After it.\n"]);
  for (const piece of found) {
    const cells = "columns" in piece ? piece.rows.flat() : [piece];
    for (const cell of cells) expect(TEXT.slice(cell.start, cell.start + cell.text.length)).toBe(cell.text);
  }
  expect(found[1]).toMatchObject({ rows: [[{ text: "1" }, { text: "9.95" }], [{ text: "2" }, { text: "23.95" }]] });
});

test("what is no row of a table stays text", () => {
  for (const text of ["a | b", "| not closed: x", "| no names |", "||", ""]) {
    expect(pieces(text).every((piece) => !("columns" in piece))).toBe(true);
  }
});

test("headings stand apart without their marks, and each piece knows where it stands", () => {
  const text = "Before.\n\n## Leave\n\n26 days.\n### Sick leave\nOf course. #1 and # 2 are no headings.\n";
  const found = headed(text, 100, "leave.docx");
  expect(found.filter((line) => line.heading).map((line) => line.text)).toEqual(["Leave", "Sick leave"]);
  for (const line of found) expect(text.slice(line.start - 100, line.start - 100 + line.text.length)).toBe(line.text);
  expect(found.map((line) => line.text).join("")).toBe(text.replace(/^#+ /gm, ""));
});

test("what is a remark in code stays as it is", () => {
  expect(headed("# a remark\nx = 1\n", 0, "a.py")).toEqual([{ text: "# a remark\nx = 1\n", start: 0, heading: false }]);
});
