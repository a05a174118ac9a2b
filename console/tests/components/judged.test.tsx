// @vitest-environment jsdom
import { screen, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { OverviewView } from "../../src/pages/quality/overview";
import { TraceView } from "../../src/pages/traces/trace";
import { ADMIN, calls, refusal, serve, show } from "./bench";

const COUNTED = { ok: 4, failed: 0, refused: 0, cancelled: 0, cached: 0, up: 0, down: 0, edited: 0, retrievals: 4, unanswered: 0, not_in_documents: 0, sentences: 0, unsupported: 0, guard_refused: 0, leaks: 0, errors: {}, judged: 0, scores: [] };

it("means of judged answers stand apart by measure and judge, with the lowest beside them", async () => {
  const scores = [
    { metric: "faithfulness", judge: "minilm@1", count: 3, mean: 0.8123 },
    { metric: "faithfulness", judge: "large@2", count: 1, mean: 0.4 },
  ];
  const hour = Math.floor(Date.now() / 3_600_000) * 3600;
  serve({ [`GET /v1/quality`]: { step_s: 3600, applications: [""], total: { ...COUNTED, judged: 4, scores }, examples: { "low faithfulness": ["0123456789abcdef"] }, data: [{ ...COUNTED, at: hour, judged: 4, scores: [{ ...scores[0], mean: 0.7 }] }] } });
  show(<OverviewView />);
  const table = within(await screen.findByRole("group", { name: "Scores of judged answers" }));
  const [first, second] = table.getAllByRole("row").slice(1).map((row) => within(row));
  first!.getByText("Passages support the answer");
  first!.getByText("0.81");
  first!.getByTitle("Passages support the answer: now 0.70, at most 0.70");
  expect(first!.getByRole("link", { name: "01234567" }).getAttribute("href")).toBe("/console/traces/0123456789abcdef");
  second!.getByText("large");
  // Of this judge nothing is known of the last hours.
  second!.getByTitle("Passages support the answer: nothing yet");
});

it("where nothing is judged nothing is said of it", async () => {
  serve({ "GET /v1/quality": { step_s: 3600, applications: [""], total: COUNTED, examples: {}, data: [] } });
  show(<OverviewView />);
  await screen.findByText("Requests over time");
  expect(screen.queryByText("Judged answers")).toBeNull();
});

it("what the documents did not say is not answered", async () => {
  serve({ "GET /v1/quality": { step_s: 3600, applications: [""], total: { ...COUNTED, not_in_documents: 3 }, examples: {}, data: [] } });
  show(<OverviewView />);
  const figure = async (name: string): Promise<string> => (await screen.findByText(name)).nextElementSibling!.textContent!;
  expect(await figure("Answered")).toBe("25 %1 of 4 requests");
  expect(await figure("Not in the documents")).toBe("75 %3 of 4 requests");
});

it("a trace tells what its answer scored, and who judged", async () => {
  const span = { id: "a", parent_id: null, name: "request", started_at: 1, start_ns: "1", duration_ms: 5, status: "ok", attributes: {} };
  const verdict = { id: "verdict_1", answer_id: "1", created_at: 2, application: "handbook", judge: "minilm@1a", scores: { faithfulness: 0.25, context_relevance: 0.875 }, claims: 4, supported: 1 };
  serve({ "GET /v1/traces/t": { spans: [span], verdicts: [verdict] }, "GET /v1/events": { data: [] } });
  show(<TraceView id="t" shown="steps" />);
  const told = within(await screen.findByLabelText("Verdict on the answer"));
  expect(told.getByText("Passages support the answer").nextSibling?.textContent).toBe("0.25");
  expect(told.getByText("Supported statements").nextSibling?.textContent).toBe("1 of 4");
  told.getByText(/Judged by minilm,/);
});

const SPAN = { id: "a", parent_id: null, name: "request", started_at: 1, start_ns: "1", duration_ms: 5, status: "ok", attributes: {} };
const ANSWER = { id: "ans_1", created_at: 1, kind: "answer", subject: "ans_1", trace_id: "t", facts: {}, content: null, consent: false };

it("beside what was judged later stands what was known at once, and what people said", async () => {
  const verdict = { id: "verdict_1", answer_id: "ans_1", created_at: 2, application: "handbook", judge: "minilm@1a", scores: { faithfulness: 0.25 }, claims: 0, supported: 0 };
  serve({
    "GET /v1/traces/t": { spans: [SPAN], verdicts: [verdict] },
    "GET /v1/events": { data: [ANSWER] },
    "GET /v1/review/answers/ans_1/scores": { realtime: { format: 1, personal_data: 0.02 }, judged: [], people: { weekly: { approved: false, scores: {}, errors: [] } } },
  });
  show(<TraceView id="t" shown="steps" />);
  const told = within(await screen.findByLabelText("Found at once"));
  const figure = (name: string): string => told.getByText(name).nextSibling!.textContent!;
  expect(figure("Whole and in its format")).toBe("1.00");
  expect(figure("Free of personal data")).toBe("0.02");
  expect(figure("Free of toxicity")).toBe("not checked");
  expect(figure("People: weekly")).toBe("rejected");
  screen.getByLabelText("Verdict on the answer");
});

it("a trace is read where its scores are not", async () => {
  serve({ "GET /v1/traces/t": { spans: [SPAN], verdicts: [] }, "GET /v1/events": { data: [ANSWER] }, "GET /v1/review/answers/ans_1/scores": () => refusal(404, "gone") });
  const { unmount } = show(<TraceView id="t" shown="steps" />);
  await screen.findByText("Duration", { selector: ".figures dt" });
  expect(screen.queryByText("This did not work")).toBeNull();
  unmount();
  calls.length = 0;
  show(<TraceView id="t" shown="steps" />, { ...ADMIN, scopes: ["chat"] });
  await screen.findByText("Duration", { selector: ".figures dt" });
  expect(calls.some((each) => each.path.includes("/scores"))).toBe(false);
});

it("what guards find in every answer stands above the sample that was judged", async () => {
  const total = { ...COUNTED, realtime: { format: 0.998, toxicity: 1, personal_data: null } };
  serve({ "GET /v1/quality": { step_s: 3600, applications: [""], total, examples: {}, data: [] } });
  show(<OverviewView />);
  const table = within(await screen.findByRole("group", { name: "Scores of every answer" }));
  const rows = table.getAllByRole("row").slice(1).map((row) => [...row.querySelectorAll("td")].slice(0, 2).map((cell) => cell.textContent));
  expect(rows).toEqual([["Whole and in its format", "99.8 %"], ["Free of toxicity", "100 %"], ["Free of personal data", "–"]]);
});
