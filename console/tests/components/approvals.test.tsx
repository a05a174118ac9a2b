// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import ApprovalsPage from "../../src/pages/approvals/page";
import { calls, refusal, serve, show } from "./bench";

const WAITING = {
  id: "apr_1", status: "pending", model: "support", tool_call: { id: "c", function: { name: "refund", arguments: '{"order":7,"amount":12.5}' } },
  created_at: 1, expires_at: 2, asked_by: "key_1", decided_at: null, decided_by: null, note: "", trace_id: "t1",
};

it("a call is shown with its arguments and approved with a note", async () => {
  serve({ "GET /v1/approvals": { data: [WAITING] }, "POST /v1/approvals/apr_1/approve": {} });
  show(<ApprovalsPage />);
  const card = (await screen.findByText("refund")).closest("li")!;
  expect(within(card).getByLabelText("Arguments").textContent).toContain('"amount": 12.5');
  fireEvent.click(within(card).getByText("Approve"));
  fireEvent.change(screen.getByLabelText("Note"), { target: { value: "checked" } });
  serve({ "GET /v1/approvals": { data: [] } });
  fireEvent.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Approve" }));
  await screen.findByText("Nothing waits for you");
  expect(calls.find((call) => call.method === "POST")!.body).toEqual({ note: "checked" });
});

it("a call that somebody else decided meanwhile says so, and an old one offers nothing", async () => {
  serve({ "GET /v1/approvals": { data: [WAITING, { ...WAITING, id: "apr_2", status: "denied" }] }, "POST /v1/approvals/apr_1/deny": () => refusal(409, "it was decided already") });
  show(<ApprovalsPage />);
  await screen.findByText("denied");
  expect(screen.getAllByText("Deny")).toHaveLength(1);
  fireEvent.click(screen.getByText("Deny"));
  fireEvent.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Deny" }));
  await screen.findByText("It was decided already.");
  await waitFor(() => expect(screen.getByRole("dialog")).toBeTruthy());
});
