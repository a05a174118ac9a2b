// @vitest-environment jsdom
import { fireEvent, screen, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { ExperimentView } from "../../src/pages/experiments/experiment";
import { places } from "../../src/pages/experiments/scatter";
import { calls, serve, show } from "./bench";

const EXPERIMENT = {
  id: "exp_1", name: "Small against large", dataset: "regression", version: 3, status: "completed", error: null, responders: [{ name: "small", model: "small" }, { name: "large", model: "large" }],
  scorers: [{ name: "f1", label: "f1" }, { name: "exact_match", label: "exact" }], recorded: false, counts: { total: 2000, done: 2000 }, created_at: 1, ended_at: 2,
};
const mean = (value: number, low: number, high: number): object => ({ mean: value, low, high, n: 1000 });
const responder = (name: string, score: number, cost: number): object => ({
  name, answers: 1000, failed: name === "small" ? 3 : 0, scores: { f1: mean(score, score - 0.1, score + 0.1), exact: { mean: null, low: null, high: null, n: 0 } },
  cost_usd: 1000 * cost, cost_per_answer_usd: cost, tokens: 5, seconds_p50: 0.5, seconds_p95: 2,
});
const REPORT = {
  examples: 1000,
  responders: [responder("small", 0.5, 0.001), responder("large", 0.75, 0.004)],
  comparisons: [{ scorer: "f1", responder: "large", baseline: "small", difference: mean(0.25, 0.2, 0.3), won: 400, lost: 90, p: 0.0001, p_corrected: 0.0002, worst: [9, 4], best: [7] }],
  slices: [],
};
const place = (number: number): object => ({
  place: number, example_id: `e${number}`,
  example: { id: `e${number}`, messages: [{ role: "user", content: `Question ${number}?` }], references: ["Two years."], passages: [], refused: null, tags: {}, sources: [], trace_id: "", group: "", split: "", extra: {} },
  answers: [
    { responder: "small", text: "Two years", error: null, trace_id: "t1", scores: { f1: 1 }, reasons: {} },
    { responder: "large", text: "Three years", error: null, trace_id: null, scores: { f1: 0.5 }, reasons: { f1: "one word differs" }, diff: [{ kind: "removed", text: "Two" }, { kind: "added", text: "Three" }, { kind: "same", text: " years" }] },
  ],
});

function served(more: object = {}): void {
  serve({
    "GET /v1/experiments/exp_1": EXPERIMENT,
    "GET /v1/experiments/exp_1/report": { ...REPORT, ...more },
    "GET /v1/experiments/exp_1/results?limit=10&after=0": { data: [place(1)], has_more: false, next: null },
    "GET /v1/experiments/exp_1/results?places=9%2C4": { data: [place(4), place(9)], has_more: false, next: null },
  });
}

it("responders stand beside each other with the paired difference and its interval", async () => {
  served();
  show(<ExperimentView id="exp_1" />);
  const table = within(await screen.findByRole("group", { name: "Comparison of responders" }));
  const [small, large] = table.getAllByRole("row").slice(1).map((row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent));
  expect(small).toEqual(["small", "0.500 [0.400, 0.600]", "baseline", "–", "–", "$1.00", "500 ms", "2.00 s", "3"]);
  expect(large).toEqual(["large", "0.750 [0.650, 0.850]", "+0.250 [+0.200, +0.300]", "0.0002", "400, 90", "$4.00", "500 ms", "2.00 s", "0"]);
  screen.getByText(/1,000 examples\. Intervals are 95 % over groups/);
});

it("the scatter has a point for each responder, with the interval of its score, against cost", async () => {
  served();
  const { container } = show(<ExperimentView id="exp_1" />);
  await screen.findByRole("img", { name: "small: f1 0.500 [0.400, 0.600], $0.001 an answer; large: f1 0.750 [0.650, 0.850], $0.004 an answer" });
  const number = (found: Element, name: string): number => Number(found.getAttribute(name));
  const [small, large] = [...container.querySelectorAll(".scatter .point")];
  expect(number(large!, "cx") - 44).toBeCloseTo(4 * (number(small!, "cx") - 44));
  expect(number(large!, "cy")).toBeLessThan(number(small!, "cy"));
  const [whisker] = [...container.querySelectorAll(".scatter .whisker")];
  expect(number(whisker!, "y1")).toBeGreaterThan(number(small!, "cy"));
  expect(number(whisker!, "y2")).toBeLessThan(number(small!, "cy"));
});

it("where nothing costs anything, quality stands against time; a responder without a score has no point", async () => {
  const free = REPORT.responders.map((each) => ({ ...each, cost_usd: 0, cost_per_answer_usd: 0 }));
  served({ responders: free });
  const { container } = show(<ExperimentView id="exp_1" />);
  await screen.findByText("Quality against time");
  fireEvent.change(screen.getByLabelText("Scorer"), { target: { value: "exact" } });
  expect(container.querySelectorAll(".scatter .point")).toHaveLength(0);
});

it("an example's answers differ word by word, and the worst ones come in their order", async () => {
  served();
  const { container } = show(<ExperimentView id="exp_1" />);
  const answers = within(await screen.findByLabelText("Answers"));
  await answers.findByText("Question 1?");
  answers.getByText("Right: Two years.");
  answers.getByText("one word differs");
  expect(container.querySelector("del")!.textContent).toBe("Two");
  expect(container.querySelector("ins")!.textContent).toBe("Three");
  expect(answers.getByRole("link", { name: "trace" }).getAttribute("href")).toBe("/console/traces/t1");
  fireEvent.change(answers.getByLabelText("Show"), { target: { value: "lost large" } });
  await answers.findByText("Question 9?");
  expect(answers.getAllByRole("listitem").map((each) => each.querySelector("strong")!.textContent)).toEqual(["Question 9?", "Question 4?"]);
  expect(calls.at(-1)!.path).toContain("places=9%2C4");
});

it("names of points that are close do not stand on each other", () => {
  const name = "smollm2-135m-instruct";
  const at = (x: number, y: number, right = true): { name: string; x: number; y: number; right: boolean } => ({ name, x, y, right });
  expect(places([at(400, 100), at(440, 100)])).toEqual([92, 78]);
  // Apart in one direction is enough.
  expect(places([at(400, 100), at(400, 130)])).toEqual([92, 122]);
  expect(places([at(200, 100), at(500, 100)])).toEqual([92, 92]);
  // At the top there is room below only.
  expect(places([at(400, 22), at(400, 22), at(400, 22)])).toEqual([14, 28, 42]);
});
