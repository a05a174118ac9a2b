// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import type { RunStep } from "../../src/api/runs";
import { readable } from "../../src/lib/readable";
import { line } from "../../src/lib/run_steps";
import { RunList } from "../../src/pages/runs/list";
import { RunView } from "../../src/pages/runs/run";
import { ADMIN, calls, refusal, serve, show } from "./bench";

const RUN = {
  id: "run_1", agent: "clerk", agent_version: "v", status: "completed", output_text: "It is paid.", error: null, session_id: null, user: null, metadata: {},
  forked_from: null, created_by: "key_1", created_at: 1, updated_at: 2, expires_at: null, trace_id: "t1",
};
const STEP = { id: "2.1", number: 3, kind: "tool", name: "pay", effect: "keyed", status: "done", input: { arguments: { amount: 5 } }, outcome: { output: "paid" }, approval_id: null, decided_by: null, attempts: 1, began_at: 1, ended_at: 2 };
const MODEL = { ...STEP, id: "1", number: 2, kind: "model", name: "rules", effect: "none", input: { messages: [] }, outcome: { text: "", calls: [["c", "pay", '{"amount":5}']], usage: [10, 5, 0, 2_000_000] } };
const WAITING = { ...RUN, status: "waiting", output_text: null, error: { code: "outcome_unknown", message: "nobody knows" } };

function served(run: object, ...steps: object[]): void {
  serve({ "GET /v1/agents/runs/run_1": run, "GET /v1/agents/runs/run_1/steps": { data: steps }, "GET /v1/agents/runs/run_1/events": () => new Response("") });
}

const posted = (): unknown[] => calls.filter((call) => call.method === "POST").map(({ path, body }) => [path.split("/").at(-1), body]);

it("a run shows its steps with what they were asked, said and cost", async () => {
  served(RUN, MODEL, STEP);
  show(<RunView id="run_1" />);
  const step = await screen.findByLabelText("Step 2.1: tool pay");
  expect(within(step).getByLabelText("Input of step 2.1").textContent).toContain("amount: 5");
  expect(within(step).getByLabelText("Result of step 2.1").textContent).toContain("output: paid");
  expect(screen.getByLabelText("Step 1: model rules").textContent).toContain('pay({"amount":5})');
  expect(screen.getByText("Cost").nextSibling!.textContent).toBe("$0.002");
});

it("an unknown effect is decided with a result, as JSON if it is some", async () => {
  served(WAITING, { ...STEP, number: null, status: "unknown", outcome: null, ended_at: null });
  serve({ "POST /v1/agents/runs/run_1/decide": RUN });
  show(<RunView id="run_1" />);
  fireEvent.click(await screen.findByText("Decide"));
  fireEvent.change(screen.getByLabelText("Result"), { target: { value: '{"receipt": 7}' } });
  fireEvent.change(screen.getByLabelText("Note"), { target: { value: "seen in the books" } });
  fireEvent.click(screen.getByText("Go on"));
  await waitFor(() => expect(posted()).toEqual([["decide", { step: "2.1", decision: "happened", result: { receipt: 7 }, note: "seen in the books" }]]));
});

it("an effect that did not happen is told without a result, and a refusal is shown", async () => {
  served(WAITING, { ...STEP, number: null, status: "unknown", outcome: null, ended_at: null });
  serve({ "POST /v1/agents/runs/run_1/decide": () => refusal(409, "it is decided already") });
  show(<RunView id="run_1" />);
  fireEvent.click(await screen.findByText("Decide"));
  fireEvent.click(screen.getByText("It did not"));
  expect(screen.queryByLabelText("Result")).toBeNull();
  fireEvent.click(screen.getByText("Go on"));
  await screen.findByText("It is decided already.");
  expect(posted()).toEqual([["decide", { step: "2.1", decision: "not_happened", note: "" }]]);
});

it("a call that waits is approved by who may, and by nobody else", async () => {
  const asked = { ...STEP, number: null, kind: "approval", status: "asked", outcome: null, approval_id: "apr_1", ended_at: null };
  served(WAITING, asked);
  serve({ "POST /v1/approvals/apr_1/approve": {} });
  show(<RunView id="run_1" />);
  fireEvent.click(await screen.findByText("Approve"));
  fireEvent.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Approve" }));
  await waitFor(() => expect(posted()).toEqual([["approve", { note: "" }]]));
});

it("a key without the scope is told who decides", async () => {
  served(WAITING, { ...STEP, number: null, kind: "approval", status: "asked", outcome: null, approval_id: "apr_1", ended_at: null });
  show(<RunView id="run_1" />, { ...ADMIN, scopes: ["chat"] });
  await screen.findByText("approve");
  expect(screen.queryByText("Approve")).toBeNull();
});

it("a replay that differs says where", async () => {
  served(RUN, MODEL, STEP);
  serve({ "POST /v1/agents/runs/run_1/replay": { identical: false, output_text: "Other.", events_sha256: "a", recorded_sha256: "b", steps: 2, unreached_steps: ["2.1"], error: { code: "diverged", message: "step 2.1 is another" } } });
  show(<RunView id="run_1" />);
  fireEvent.click(await screen.findByText("Replay"));
  await screen.findByText("It differs from the record after 2 steps.");
  expect(screen.getByLabelText("Replayed answer").textContent).toBe("Other.");
  expect(screen.getByText("Step 2.1 is another.")).toBeTruthy();
});

it("a fork begins behind the step that was chosen", async () => {
  served(RUN, MODEL, STEP);
  serve({ "POST /v1/agents/runs/run_1/fork": { ...RUN, id: "run_2" } });
  show(<RunView id="run_1" />);
  fireEvent.click(await screen.findByText("Fork after step 1"));
  await waitFor(() => expect(location.pathname).toBe("/console/runs/run_2"));
  expect(posted()).toEqual([["fork", { after: 2 }]]);
});

it("runs are listed by state and agent", async () => {
  history.replaceState(null, "", "/console/runs?status=waiting&agent=clerk");
  serve({ "GET /v1/agents/runs": { data: [WAITING] } });
  show(<RunList />);
  await screen.findByText("Nobody knows.");
  expect(calls[0]!.path).toContain("status=waiting&agent=clerk");
});

it("values are read a field a line, with the line ends of texts", () => {
  expect(readable({ a: "one\ntwo", b: [1, { c: null }], d: {} })).toBe("a:\n  one\n  two\nb:\n  - 1\n  -\n    c: null\nd: {}");
});

it("a tool that says nothing shows nothing", () => {
  expect(line({ ...STEP, outcome: { output: null } } as unknown as RunStep)).toBe("");
  expect(line({ ...STEP, outcome: { output: 0 } } as unknown as RunStep)).toBe("0");
});
