import { expect, test } from "vitest";
import { pieces } from "../src/lib/rows";

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
