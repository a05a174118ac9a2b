// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { ExportView } from "../../src/pages/exports/export";
import { FunnelView } from "../../src/pages/lake/funnel";
import { LineageView } from "../../src/pages/lake/lineage";
import { TraceView } from "../../src/pages/traces/trace";
import { ADMIN, calls, serve, show } from "./bench";

const step = (name: string, before: number, dropped: number, more: object = {}): object => ({ name, about: `what ${name} does`, before, dropped, reasons: {}, samples: [], on: true, ...more });
const BUILD = {
  id: "build_1", state: "done", error: null, created_at: 10, ended_at: 20, interactions: 1000, ready: 600, quality_rate: 0.9, personal_data_rate: 0.05, duplicate_rate: null, latency_s: { p50: 120, p95: null },
  steps: [
    step("empty", 1000, 250, { reasons: { question: 200, answer: 50 }, samples: ["ans_1"] }),
    step("personal_data", 750, 0, { changed: 40, found: { email: 39 } }),
    step("near_duplicates", 750, 150, { on: false }),
  ],
};
const SAMPLE = { answer_id: "ans_1", trace_id: "trace1", at: 11, question: "And?", answer: "", reason: "answer", verdict: "", edited: null };

function lake(build: object = BUILD): void {
  serve({ "GET /v1/lake/builds?limit=20": { data: [build] }, "GET /v1/lake/builds/build_1": build });
}

it("the funnel tells what each step took, and why", async () => {
  lake();
  show(<FunnelView />);
  const table = within(await screen.findByRole("group", { name: "Steps" }));
  const [empty, personal, near] = table.getAllByRole("row").slice(1).map((row) => within(row));
  empty!.getByText("250");
  empty!.getByText("question 200, answer 50");
  expect((empty!.getByRole("img", { name: "750 of 1,000 left" }).firstChild as HTMLElement).style.width).toBe("75%");
  personal!.getByText("40 changed");
  personal!.getByText("email 39");
  near!.getByText("off");
  screen.getByText("60 % of all");
  // Of duplicates nothing is known.
  expect(screen.getByText("Duplicates").nextSibling!.textContent).toBe("–of what was compared");
});

it("examples of a step lead to their traces, and to all that became of them", async () => {
  lake();
  serve({ "GET /v1/lake/builds/build_1/samples?step=empty": { data: [SAMPLE] }, "GET /v1/lake/builds/build_1/samples?step=personal_data": { data: [] } });
  show(<FunnelView />);
  fireEvent.click(await screen.findByLabelText("Examples: empty"));
  const dialog = within(await screen.findByRole("dialog"));
  expect((await dialog.findByRole("link", { name: "And?" })).getAttribute("href")).toBe("/console/traces/trace1");
  expect(dialog.getByRole("link", { name: "rows" }).getAttribute("href")).toBe("/console/lake/lineage?of=ans_1");
  dialog.getByText("what empty does");
  fireEvent.click(dialog.getByText("Close"));
  // A step that changes rows has examples; one that took nothing has none.
  fireEvent.click(screen.getByLabelText("Examples: personal_data"));
  await screen.findByText("No examples");
  expect(screen.queryByLabelText("Examples: near_duplicates")).toBeNull();
});

it("rows that are ready have examples where the server keeps them", async () => {
  lake();
  const { unmount } = show(<FunnelView />);
  await screen.findByText("60 % of all");
  expect(screen.queryByLabelText("Examples: ready rows")).toBeNull();
  unmount();
  lake({ ...BUILD, ready_samples: ["ans_2"] });
  serve({ "GET /v1/lake/builds/build_1/samples?step=ready": { data: [{ ...SAMPLE, question: "Who pays?", answer: "You.", reason: "", verdict: "good", edited: "The shop." }] } });
  show(<FunnelView />);
  fireEvent.click(await screen.findByLabelText("Examples: ready rows"));
  await screen.findByText("good");
  expect(screen.getByText("A person wrote instead:").parentElement!.textContent).toContain("The shop.");
});

it("a build is begun, and followed to its end", async () => {
  serve({ "GET /v1/lake/builds?limit=20": { data: [] }, "POST /v1/lake/builds": () => { serve({ "GET /v1/lake/builds?limit=20": { data: [{ ...BUILD, state: "running" }] } }); return { id: "build_1" }; } });
  show(<FunnelView />);
  await screen.findByText("No build yet");
  fireEvent.click(screen.getByText("Build now"));
  await screen.findByText("A build is under way.");
  expect((screen.getByText("Build now").closest("button") as HTMLButtonElement).disabled).toBe(true);
});

const ROWS = {
  trace_id: "trace1",
  raw: [{ kind: "answer", id: "evt_1", at: 1, subject: "ans_1" }],
  clean: [{ answer_id: "ans_1", at: 2, event_ids: ["evt_1", "evt_2"] }],
  ready: [{ build: "build_1", answer_id: "ans_1", at: 3, event_ids: ["evt_1"], verdict: "good" }],
  dropped: [{ build: "build_2", answer_id: "ans_1", at: 4, step: "consent", reason: "none given" }],
};
const MADE = {
  exports: [{ id: "lakeexport-1", kind: "sft", format: "trl", name: "weekly", status: "completed", rows: 1200, answers: ["ans_1"], created_at: 5 }],
  datasets: [{ name: "regression", version: 3, example: "ex_1", split: "train", since: 1, current: false }],
};

it("a trace leads to its rows, exports and examples, and these lead back", async () => {
  history.replaceState(null, "", "/console/lake/lineage?of=trace1");
  serve({ "GET /v1/lake/lineage?trace_id=trace1": { ...ROWS, ...MADE } });
  show(<LineageView />);
  const rows = within(await screen.findByRole("group", { name: "Rows" })).getAllByRole("row").slice(1).map((row) => row.textContent);
  expect(rows.map((row) => /^(raw|clean|ready|dropped)/.exec(row!)![1])).toEqual(["raw", "clean", "ready", "dropped"]);
  expect(rows[3]).toContain("consent: none given (build build_2)");
  expect(screen.getByRole("link", { name: "trace1" }).getAttribute("href")).toBe("/console/traces/trace1");
  expect(screen.getByRole("link", { name: "weekly" }).getAttribute("href")).toBe("/console/exports/lakeexport-1");
  expect(screen.getByRole("link", { name: "regression@3" }).getAttribute("href")).toBe("/console/datasets/regression?version=3");
  screen.getByText("not in the newest");
});

it("a server that tells no exports, and a key that may not read data sets, are no failure", async () => {
  history.replaceState(null, "", "/console/lake/lineage?of=ans_1");
  serve({ "GET /v1/lake/lineage?answer_id=ans_1": ROWS });
  const { unmount } = show(<LineageView />);
  await screen.findByRole("group", { name: "Rows" });
  expect(screen.queryByText(/export/)).toBeNull();
  unmount();
  serve({ "GET /v1/lake/lineage?answer_id=ans_1": { ...ROWS, exports: [], datasets: null } });
  show(<LineageView />);
  await screen.findByText(/shown to keys with the scope/);
});

it("what was erased from all zones may still be an example", async () => {
  history.replaceState(null, "", "/console/lake/lineage?of=trace1");
  serve({ "GET /v1/lake/lineage?trace_id=trace1": { trace_id: "trace1", raw: [], clean: [], ready: [], dropped: [], exports: [], datasets: MADE.datasets } });
  show(<LineageView />);
  await screen.findByText("1 example was made of it");
  expect(screen.queryByText("Nothing in the lake")).toBeNull();
});

const SPAN = { id: "a", parent_id: null, name: "request", started_at: 1, start_ns: "1", duration_ms: 5, status: "ok", attributes: {} };

it("a trace links to the lake for those who may read it", async () => {
  serve({ "GET /v1/traces/t1": { spans: [SPAN], verdicts: [] }, "GET /v1/events": { data: [] } });
  const { unmount } = show(<TraceView id="t1" shown="steps" />);
  expect((await screen.findByRole("link", { name: "In the lake" })).getAttribute("href")).toBe("/console/lake/lineage?of=t1");
  unmount();
  show(<TraceView id="t1" shown="steps" />, { ...ADMIN, scopes: ["chat"] });
  await screen.findByText("Duration", { selector: ".figures dt" });
  expect(screen.queryByText("In the lake")).toBeNull();
});

it("rows of an export name their traces", async () => {
  const one = { id: "e1", kind: "sft", format: "trl", name: "weekly", status: "completed", error: null, rows: 1, split: {}, consent: true, licence: "MIT", erasures: [], created_at: 1, updated_at: 2, manifest: { seed: 0 }, files: [], copies: [] };
  serve({
    "GET /v1/lake/exports/e1": one,
    "GET /v1/lake/exports/e1/rows?limit=20": { data: [{ id: "ans_1", split: "train", line: 1, group: 0, origin: "answer", answers: ["ans_1"], traces: ["0123456789abcdef"], event_ids: ["evt_1"] }] },
  });
  show(<ExportView id="e1" />);
  expect((await screen.findByRole("link", { name: "01234567…" })).getAttribute("href")).toBe("/console/traces/0123456789abcdef");
  await waitFor(() => expect(calls.filter((each) => each.path.includes("/rows"))).toHaveLength(1));
});
