// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { AgreementView } from "../../src/pages/review/agreement";
import { CalibrationView } from "../../src/pages/review/calibration";
import { ItemsView } from "../../src/pages/review/items";
import { WorkView } from "../../src/pages/review/work";
import { calls, refusal, serve, show } from "./bench";

it("what nobody has labelled yet is no failure", async () => {
  serve({
    "GET /v1/review/queues": { data: [{ id: "q1", name: "looked-at", version: 1, items: {}, strata: {}, definition: {} }] },
    "GET /v1/review/queues/looked-at/estimate": () => refusal(400, "no stratum has two labels"),
    "GET /v1/review/queues/looked-at/threshold": () => refusal(400, "no labelled answer has a judge's score"),
  });
  show(<CalibrationView />);
  await screen.findByText("Too few labels yet");
  await screen.findByText("No labelled answer was judged");
  expect(screen.queryByText("This did not work")).toBeNull();
});

const QUEUE = {
  id: "q1", name: "weekly", version: 2, guideline: "# What is correct?", items: { open: 1, adjudicate: 0, done: 0 }, strata: {},
  definition: {
    title: "", rule: { applications: [], certain: [], below: {}, share: 0.05 }, labelling: { double: 0, disagreement: 0.5, lease_minutes: 30 }, dataset: "",
    criteria: [
      { name: "correct", title: "Correct?", help: "", scale: ["no", "partly", "yes"], level: "ordinal", required: true },
      { name: "grounded", title: "Grounded?", help: "", scale: ["no", "yes"], level: "ordinal", required: true },
    ],
    errors: [{ name: "invented", title: "Invented", help: "" }, { name: "tone", title: "Tone", help: "" }],
  },
};
const task = (id: string): object => ({ item_id: id, answer_id: `ans_${id}`, trace_id: "t", application: "handbook", adjudicates: false, earlier: [], lease_until: 9e9, question: `Question ${id}?`, messages: [{ role: "user", content: "?" }], answer: "An answer.", citations: [], passages: [] });

// Each `next` takes the next of these; then there is nothing.
function queue(...ids: string[]): void {
  const left = ids.map(task);
  serve({ "GET /v1/review/queues": { data: [QUEUE] }, "POST /v1/review/queues/weekly/next": () => ({ task: left.shift() ?? null }) });
  for (const id of ids) serve(Object.fromEntries(["label", "skip", "return"].map((what) => [`POST /v1/review/queues/weekly/items/${id}/${what}`, {}])));
}

const press = (key: string, more: object = {}, on: Element = document.body): void => void fireEvent.keyDown(on, { key, ...more });
const sent = (what: string): unknown[] => calls.filter((each) => each.path.endsWith(`/${what}`)).map((each) => each.body);

describe("labelling by keyboard alone", () => {
  it("digits label the marked scale, letters approve, x takes digits for errors, Enter submits and the next comes", async () => {
    queue("i1", "i2");
    show(<WorkView />);
    await screen.findByText("Question i1?");
    press("Enter");
    expect(sent("label")).toEqual([]);
    press("3");
    press("2");
    // The mark has gone on to the errors.
    press("2");
    press("r");
    press("Enter");
    await screen.findByText("Question i2?");
    expect(sent("label")).toEqual([{ labels: { correct: 2, grounded: 1 }, approved: false, errors: ["tone"], comment: "", seconds: expect.any(Number) }]);
    // Nothing of the first label stays.
    expect(document.querySelectorAll("[aria-pressed=true]")).toHaveLength(0);
    screen.getByText("1 answer labelled");
  });

  it("arrows move the mark, a digit beyond the scale does nothing, and x goes to the errors and back again", async () => {
    queue("i1");
    show(<WorkView />);
    await screen.findByText("Question i1?");
    const marked = (): string => document.querySelector("fieldset.marked legend")!.textContent!;
    press("ArrowDown");
    expect(marked()).toBe("Grounded?");
    press("3");
    expect(document.querySelectorAll("[aria-pressed=true]")).toHaveLength(0);
    press("x");
    expect(marked()).toContain("Errors");
    press("1");
    press("1");
    expect(document.querySelectorAll("[aria-pressed=true]")).toHaveLength(0);
    press("ArrowUp");
    expect(marked()).toBe("Grounded?");
  });

  it("keys are letters while somebody writes; Escape leaves the field, and Ctrl+Enter submits from within it", async () => {
    queue("i1");
    show(<WorkView />);
    await screen.findByText("Question i1?");
    press("3");
    press("1");
    press("a");
    const comment = screen.getByLabelText(/Comment/);
    press("c");
    expect(document.activeElement).toBe(comment);
    press("r", {}, comment);
    press("s", {}, comment);
    press("Escape", {}, comment);
    expect(document.activeElement).not.toBe(comment);
    fireEvent.change(comment, { target: { value: "Half of it." } });
    press("Enter", { ctrlKey: true }, comment);
    await screen.findByText("Nothing waits for you");
    expect(sent("label")).toEqual([{ labels: { correct: 2, grounded: 0 }, approved: true, errors: [], comment: "Half of it.", seconds: expect.any(Number) }]);
    expect(sent("skip")).toEqual([]);
  });

  it("an edit is sent where it differs from the answer", async () => {
    queue("i1", "i2");
    show(<WorkView />);
    await screen.findByText("Question i1?");
    const label = async (edit: string): Promise<void> => {
      press("1");
      press("1");
      press("r");
      press("e");
      fireEvent.change(await screen.findByLabelText("The answer as it should be"), { target: { value: edit } });
      press("Enter", { metaKey: true });
    };
    await label("A better answer.");
    await screen.findByText("Question i2?");
    await label(" An answer. ");
    await screen.findByText("Nothing waits for you");
    expect(sent("label").map((each) => (each as { edit?: string }).edit)).toEqual(["A better answer.", undefined]);
  });

  it("a key that is pressed twice skips one answer", async () => {
    queue("i1", "i2");
    show(<WorkView />);
    await screen.findByText("Question i1?");
    press("s");
    press("s");
    await screen.findByText("Question i2?");
    expect(calls.filter((each) => each.path.endsWith("/skip"))).toHaveLength(1);
    expect(calls.filter((each) => each.path.endsWith("/next"))).toHaveLength(2);
  });
});

it("whom a queue waits for is shown where the server tells it, with or without their labels", async () => {
  const wrote = { by: "key_a", labels: 4, adjudicated: 0, approved: { value: 0.5, low: 0.1, high: 0.9, n: 4 }, edited: 0, median_seconds: 9, compared: 0, agreed: 0, decided: 0, overruled: 0 };
  const place = { object: "review.reviewer", reviewer: "key_b", named: true, assigned: 2, leased: 1, given: 9, skipped: 0, overdue: 1 };
  serve({
    "GET /v1/review/queues": { data: [QUEUE] },
    "GET /v1/review/queues/weekly/agreement": { labels: 4, double_items: 0, criteria: [], pairs: [] },
    "GET /v1/review/queues/weekly/reviewers": { data: [wrote, place] },
  });
  show(<AgreementView />);
  const places = within(await screen.findByRole("group", { name: "Places of reviewers" }));
  expect(places.getAllByRole("row")).toHaveLength(2);
  places.getByText("named");
  expect(places.getAllByRole("cell").map((each) => each.textContent).slice(1)).toEqual(["2", "1", "9", "0", "1"]);
  within(screen.getByRole("group", { name: "Reviewers" })).getByText("key_a");
});

const ITEM = { id: "item_1", answer_id: "ans_0123456789", trace_id: "t1", application: "handbook", stratum: "down", state: "open", needs: 2, given: 1, created_at: 1 };

it("the answers of a queue say who has a place in them, and are assigned and taken back", async () => {
  const named = { ...QUEUE, definition: { ...QUEUE.definition, labelling: { ...QUEUE.definition.labelling, reviewers: ["key_a", "key_b"] } } };
  const places = [{ by: "key_a", state: "given", until: 5, overdue: false }, { by: "key_b", state: "assigned", until: 9, overdue: true }];
  serve({
    "GET /v1/review/queues": { data: [named] },
    "GET /v1/keys": { data: [{ id: "key_b", name: "Ben" }] },
    "GET /v1/review/queues/weekly/items?limit=50": { data: [{ ...ITEM, places }] },
    "POST /v1/review/queues/weekly/items/item_1/assign": { until: 9 },
    "POST /v1/review/queues/weekly/items/item_1/unassign": { unassigned: true },
  });
  show(<ItemsView />);
  await screen.findByText(/^Ben: overdue until/);
  screen.getByText("key_a: given");
  screen.getByText("1 of 2");
  expect(screen.getByRole("link", { name: "ans_01234567…" }).getAttribute("href")).toBe("/console/traces/t1");
  fireEvent.click(screen.getByLabelText("Assign ans_0123456789"));
  fireEvent.change(screen.getByLabelText("Reviewer"), { target: { value: "key_b" } });
  fireEvent.change(screen.getByLabelText("Hours"), { target: { value: "48" } });
  fireEvent.click(screen.getByRole("button", { name: "Assign" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  expect(sent("assign")).toEqual([{ to: "key_b", hours: 48 }]);
  fireEvent.click(await screen.findByLabelText("Take ans_0123456789 from Ben"));
  await waitFor(() => expect(sent("unassign")).toEqual([{ to: "key_b" }]));
});

it("where the server assigns nothing, nothing is offered", async () => {
  serve({ "GET /v1/review/queues": { data: [QUEUE] }, "GET /v1/review/queues/weekly/items?limit=50": { data: [ITEM] } });
  show(<ItemsView />);
  await screen.findByText("1 of 2");
  expect(screen.queryByLabelText(/^Assign/)).toBeNull();
});
