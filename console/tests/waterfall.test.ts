import { describe, expect, it } from "vitest";
import type { Span } from "../src/api/types";
import { rows, total } from "../src/lib/waterfall";

const BEGAN = 1_790_000_000_000_000_000n;
const span = (id: string, parent: string | null, at: number, ms: number): Span => ({
  id,
  parent_id: parent,
  name: id,
  started_at: 0,
  start_ns: String(BEGAN + BigInt(Math.round(at * 1e6))),
  duration_ms: ms,
  status: "unset",
  attributes: {},
});

describe("a waterfall", () => {
  it("has each step below its own, in the order of time, with what is left of its time", () => {
    const found = rows([span("c", "a", 50, 40), span("a", "elsewhere", 0, 100), span("b", "a", 10, 20), span("d", "c", 60, 10)]);
    expect(found.map((row) => [row.span.id, row.depth, row.at, row.own])).toEqual([
      ["a", 0, 0, 40],
      ["b", 1, 10, 20],
      ["c", 1, 50, 30],
      ["d", 2, 60, 10],
    ]);
    expect(found.map((row) => [row.left, row.width])).toEqual([[0, 100], [10, 20], [50, 40], [60, 10]]);
  });

  it("counts steps that ran at once only once", () => {
    expect(rows([span("a", null, 0, 100), span("b", "a", 0, 60), span("c", "a", 30, 60)])[0]!.own).toBe(10);
  });

  it("keeps nanoseconds that a double of Unix time would lose", () => {
    expect(rows([span("a", null, 0, 1), span("b", "a", 0.0001, 0.5)])[1]!.at).toBeCloseTo(0.0001, 6);
  });

  it("lasts until the last step has ended", () => {
    expect(total([span("a", null, 0, 10), span("b", "a", 8, 10)])).toBe(18);
    expect(total([])).toBe(0);
  });
});
