// @vitest-environment jsdom
import { fireEvent, screen, waitFor } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { CaseView } from "../../src/pages/desk/case";
import { CaseList } from "../../src/pages/desk/list";
import { calls, serve, show } from "./bench";

const CASE = { id: "case_1", number: "CS-1", kind: "escalation", status: "taken", queue: "returns", priority: "urgent", topic: "refund", language: null, subject: "Broken lamp", reason: "above the limit", body: null, customer: "cust_7", references: {}, channel: "email", agent: "support", run_id: null, session_id: "s", attended: true, assignee: { id: "key_1", name: "Ada" }, resolution: null, created_at: 1, updated_at: 1, due_at: 2, late: true, version: 1 };
const SUGGESTION = { id: "suggest_1", text: "A new lamp is on its way.", source: "knowledge", citations: [{ number: 1, source: "returns.md", text: "Lamps are replaced." }], decision: null };
const VIEW = { ...CASE, messages: [{ id: "m1", author: "customer", name: null, text: "It is broken.", created_at: 1 }], assist: { summary: "The lamp is broken.", method: "extractive", hints: [], facts: [{ name: "order", value: "C-1", from: "case" }], suggestions: [SUGGESTION], made_at: 1 } };
const events = (name: string, body: unknown): (() => Response) => () => new Response(`event: ${name}\ndata: ${JSON.stringify(body)}\n\n`);
const ME = { "GET /v1/desk/people/me": { id: "key_1", name: "Ada", queues: [] } };
const posts = (): unknown[] => calls.filter((call) => call.method === "POST");

describe("a case", () => {
  it("takes a suggestion by its number, and says which one the answer was made of", async () => {
    serve({ ...ME, "GET /v1/desk/cases/CS-1/events": events("case", VIEW), "POST /v1/desk/cases/CS-1/messages": {} });
    show(<CaseView number="CS-1" />);
    await screen.findByText("It is broken.");
    const answer = screen.getByRole<HTMLTextAreaElement>("textbox", { name: "Answer" });
    // Keys count once it is known who is here.
    await waitFor(() => {
      fireEvent.keyDown(document.body, { key: "1" });
      expect(answer.value).toBe("A new lamp is on its way.");
    });
    fireEvent.change(answer, { target: { value: "A new lamp is on its way, Ann." } });
    fireEvent.keyDown(answer, { key: "Enter", ctrlKey: true });
    await waitFor(() => expect(posts()).toEqual([expect.objectContaining({ path: "/v1/desk/cases/CS-1/messages", body: { text: "A new lamp is on its way, Ann.", note: false, suggestion: "suggest_1" } })]));
    await waitFor(() => expect(answer.value).toBe(""));
  });

  it("is not answered by whoever does not work on it, and has notes by anybody", async () => {
    serve({ "GET /v1/desk/people/me": { id: "key_2", name: "Ben", queues: [] }, "GET /v1/desk/cases/CS-1/events": events("case", VIEW), "POST /v1/desk/cases/CS-1/messages": {} });
    show(<CaseView number="CS-1" />);
    fireEvent.change(await screen.findByRole("textbox", { name: "Answer" }), { target: { value: "Hello" } });
    await waitFor(() => expect(screen.getByRole<HTMLButtonElement>("button", { name: "Send" }).disabled).toBe(true));
    fireEvent.click(screen.getByRole("button", { name: "Note" }));
    fireEvent.click(screen.getByRole("button", { name: "Keep note" }));
    await waitFor(() => expect(posts()).toEqual([expect.objectContaining({ body: { text: "Hello", note: true } })]));
  });

  it("shows a refusal, and keeps what was written", async () => {
    serve({ ...ME, "GET /v1/desk/cases/CS-1/events": events("case", VIEW), "POST /v1/desk/cases/CS-1/messages": () => new Response(JSON.stringify({ error: { message: "the case CS-1 is closed", code: "conflict", param: null } }), { status: 409 }) });
    show(<CaseView number="CS-1" />);
    const answer = await screen.findByRole<HTMLTextAreaElement>("textbox", { name: "Answer" });
    fireEvent.change(answer, { target: { value: "Hello" } });
    fireEvent.keyDown(answer, { key: "Enter", ctrlKey: true });
    await screen.findByText(/the case CS-1 is closed/i);
    expect(answer.value).toBe("Hello");
  });
});

describe("the list of cases", () => {
  it("counts what waits, marks what is late, and takes the next of a queue", async () => {
    serve({ ...ME, "GET /v1/desk/events": events("queues", { data: [{ id: "returns", open: 3, taken: 1, waiting: 0, closed: 9, late: 2 }] }), "GET /v1/desk/cases": { data: [CASE] }, "POST /v1/desk/next": { case: CASE } });
    show(<CaseList open={undefined} />);
    await screen.findByText("Broken lamp");
    fireEvent.click(await screen.findByRole("button", { name: /returns 3/ }));
    await waitFor(() => expect(location.search).toBe("?queue=returns"));
    fireEvent.click(screen.getByRole("button", { name: "Take next" }));
    await waitFor(() => expect(posts()).toEqual([expect.objectContaining({ body: { queues: ["returns"] } })]));
    await waitFor(() => expect(location.pathname).toBe("/console/desk/CS-1"));
  });
});
