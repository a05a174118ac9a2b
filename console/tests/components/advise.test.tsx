// @vitest-environment jsdom
import { fireEvent, screen, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { AdviceView } from "../../src/pages/advise/advice";
import AdvicePage from "../../src/pages/advise/page";
import { calls, refusal, serve, show } from "./bench";

const NONE = { mean: null, low: null, high: null, n: 0 };
const ROW = { way: "prompt", tried: true, reason: "", command: "", name: "small", failed: 0, usd: 0.001, seconds: 1.5, tokens: 20, upfront_usd: 0, upfront_seconds: 0, monthly: 1, notes: [], quality: { mean: 0.2, low: 0.1, high: 0.3, n: 60 }, about: "The model as it is." };
const REPORT = {
  rows: [
    ROW,
    { ...ROW, way: "rag", usd: 0.01, monthly: 10, quality: { mean: 0.8, low: 0.7, high: 0.9, n: 60 }, about: "Facts come from documents." },
    { ...ROW, way: "fine-tune", tried: false, reason: "weights are trained only where somebody says so", command: "mainspring advise asked@1 --train-seconds 3600", monthly: null, quality: NONE, about: "The weights learn." },
  ],
  reasons: ["prompt is out: rag is better beyond doubt, by 0.600 [0.400, 0.800].", "rag is the cheapest of what is left."],
  out: { prompt: "rag is better beyond doubt, by 0.600 [0.400, 0.800]" },
  open: [], more_questions: null, unit: "usd",
  pairs: [{ way: "rag", against: "prompt", difference: { mean: 0.6, low: 0.4, high: 0.8, n: 60 }, beyond_doubt: true }],
  break_even: [{ way: "fine-tune", against: "rag", queries: 13333.3 }],
  terms: { queries_per_month: 1000, months: 12, margin: 0.02, usd_per_hour: 0 },
  facts: { changes_per_month: 3, source: "measured" },
  sample: { measured: 60, learn: 61, left_out: 0, split: "the data set's own split" },
  scorer: "contains", experiment: "exp_1",
};
const ADVICE = {
  id: "adv_1", name: "asked@1", dataset: "asked", version: 1, model: "small", collection: "handbook", status: "completed", stage: "completed", error: null,
  steps: [{ at: 10, stage: "preparing", reason: "60 questions are measured" }], verdict: "recommended", way: "rag", report: REPORT, created_at: 10,
};

it("the list tells each verdict, and how far the others are", async () => {
  serve({ "GET /v1/advice": { data: [ADVICE, { ...ADVICE, id: "adv_2", name: "later@1", status: "running", stage: "comparing", verdict: null, way: null, report: null }] } });
  show(<AdvicePage />);
  expect((await screen.findByRole("link", { name: "asked@1" })).getAttribute("href")).toBe("/console/advise/adv_1");
  screen.getByText("rag", { selector: ".badge" });
  screen.getByText("comparing", { selector: ".badge" });
});

it("rows have quality with n and interval, cost, and why", async () => {
  serve({ "GET /v1/advice/adv_1": ADVICE });
  show(<AdviceView id="adv_1" />);
  const rows = within(await screen.findByRole("group", { name: "Each way" })).getAllByRole("row");
  expect(rows[1]!.textContent).toContain("0.200 [0.100, 0.300], n 60");
  within(rows[1]!).getByText("out", { selector: ".badge" });
  expect(rows[3]!.textContent).toContain("not tried");
  const words = within(screen.getByRole("list", { name: "Description of each way" })).getAllByRole("listitem");
  expect(words[0]!.textContent).toContain("Out: rag is better beyond doubt");
  expect(words[1]!.textContent).toContain("Facts come from documents.");
  within(words[2]!).getByText("mainspring advise asked@1 --train-seconds 3600", { selector: "code" });
  within(screen.getByRole("group", { name: "Pairs of ways" })).getByText("0.600 [0.400, 0.800], n 60");
  screen.getByText("fine-tune has cost less than rag after 13,334 queries.");
  expect(screen.getByRole("region", { name: "Why" }).textContent).toContain("Facts change 3.0 times a month, as the documents show.");
  expect(screen.getByRole("link", { name: "The answers side by side" }).getAttribute("href")).toBe("/console/experiments/exp_1");
});

it("unsure is said as such, with how many more questions", async () => {
  const unsure = { ...REPORT, reasons: ["About 120 more questions would settle it."], more_questions: 120, open: ["rag"] };
  serve({ "GET /v1/advice/adv_1": { ...ADVICE, verdict: "unsure", way: "prompt", report: unsure } });
  show(<AdviceView id="adv_1" />);
  await screen.findByText("unsure, prompt for now", { selector: ".badge" });
  screen.getByText("About 120 more questions would settle it.");
});

it("one that is under way is cancelled, and what the server refuses is said", async () => {
  serve({ "GET /v1/advice/adv_1": { ...ADVICE, status: "running", stage: "training", verdict: null, way: null, report: null }, "POST /v1/advice/adv_1/cancel": refusal(404, "there is no advice adv_1") });
  show(<AdviceView id="adv_1" />);
  fireEvent.click(await screen.findByRole("button", { name: "Cancel" }));
  await screen.findByText("training", { selector: ".badge" });
  expect(calls.filter((each) => each.method === "POST").map((each) => each.path)).toEqual(["/v1/advice/adv_1/cancel"]);
});

it("where nobody asked the page says how to", async () => {
  serve({ "GET /v1/advice": { data: [] } });
  show(<AdvicePage />);
  await screen.findByText("There is no advice yet");
});
