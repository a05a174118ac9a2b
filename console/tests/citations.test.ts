import { describe, expect, it } from "vitest";
import { parts } from "../src/lib/citations";

describe("marks of citations", () => {
  it("are those that the answer has citations for", () => {
    expect(parts("Thirty days [1], see [2][3] and array[4].", new Set([1, 2, 3]))).toEqual([
      { text: "Thirty days " },
      { cites: 1 },
      { text: ", see " },
      { cites: 2 },
      { cites: 3 },
      { text: " and array[4]." },
    ]);
  });

  it("stand at the ends as well, and may be the whole text", () => {
    expect(parts("[1]", new Set([1]))).toEqual([{ cites: 1 }]);
    expect(parts("", new Set([1]))).toEqual([]);
    expect(parts("[1] x", new Set())).toEqual([{ text: "[1] x" }]);
  });
});
