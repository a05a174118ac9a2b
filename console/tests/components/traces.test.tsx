// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import type { Span } from "../../src/api/types";
import { Hits } from "../../src/pages/traces/found";
import { TraceList } from "../../src/pages/traces/list";
import { PromptView } from "../../src/pages/traces/prompt";
import { ReplayDialog, ReplayView } from "../../src/pages/traces/replay";
import { Steps } from "../../src/pages/traces/steps";
import { calls, refusal, serve, show } from "./bench";

function span(id: string, parent: string | null, name: string, start: number, ms: number, attributes: object = {}): Span {
  return { id, parent_id: parent, name, started_at: start / 1000, start_ns: String(start * 1_000_000), duration_ms: ms, status: "ok", attributes: { ...attributes } };
}

describe("steps", () => {
  const spans = [
    span("a", null, "request", 0, 1000, { "gen_ai.request.model": "small" }),
    span("b", "a", "Limit", 0, 999),
    span("c", "b", "GuardInput", 1, 998),
    span("d", "c", "chat small", 100, 800, { "gen_ai.provider.name": "x", "gen_ai.usage.input_tokens": 3, "gen_ai.usage.output_tokens": 4, "mainspring.cost_nanousd": 5_000_000 }),
  ];

  it("that only pass a request on are left out until they are asked for", () => {
    const { container } = show(<Steps spans={spans} />);
    const names = (): string[] => [...container.querySelectorAll(".span-name")].map((each) => each.textContent ?? "");
    // The input guard took 198 ms by itself: it stays.
    expect(names()).toEqual(["request", "input guards", "chat small"]);
    fireEvent.click(screen.getByLabelText(/Show the 1 layers/));
    expect(names()).toEqual(["request", "rate limits", "input guards", "chat small"]);
  });

  it("show their tokens, cost and attributes", () => {
    show(<Steps spans={spans} />);
    const row = screen.getByText("chat small").closest("button")!;
    expect(row.textContent).toContain("7");
    expect(row.textContent).toContain("$0.005");
    fireEvent.click(row);
    within(screen.getByLabelText("Facts of chat small")).getByText("gen_ai.usage.output_tokens");
  });
});

it("what was asked, sent, found and answered is shown, and not as JSON", async () => {
  const content = JSON.stringify({ messages: [{ role: "system", content: "Be brief." }, { role: "user", content: "Who pays?" }], choices: [{ text: "The shop pays. [1]" }], citations: [{ index: 1, source: "returns.pdf", heading: "", page: 2 }] });
  const event = (kind: string, facts: object, text: string | null): any => ({ id: kind, created_at: 1, kind, subject: "", trace_id: "t", facts, content: text, consent: false });
  serve({ "GET /v1/traces/t/prompt": { calls: [{ id: "c", model: "small", input_tokens: 40, messages: [{ role: "system", content: "Answer from these: returns." }], rendered: "<s>Answer" }] } });
  show(<PromptView trace="t" events={[event("retrieval", { evidence: 0.9, hits: [{ chunk_id: "c1", dense_rank: 1, lexical_rank: null, score: 0.5 }] }, null), event("answer", {}, content)]} />);
  screen.getByText("Be brief.");
  screen.getByText("Who pays?");
  screen.getByText("The shop pays. [1]");
  screen.getByText("returns.pdf");
  screen.getByText("c1");
  await screen.findByText("Answer from these: returns.");
  screen.getByText("<s>Answer");
});

describe("what was found", () => {
  const ids = ["d1.1.0", "d1.1.1", "d2.1.0", "d3.1.0"];
  const retrieval: any = { id: "r", kind: "retrieval", facts: { evidence: 0.5, hits: [...ids.map((id, index) => ({ chunk_id: id, document_id: id.slice(0, 2), dense_rank: index + 1, lexical_rank: null, score: 0.5 })), { document_id: "d9" }] } };
  const place = (id: string, more: object = {}): object => ({ id, vector_store_id: "vs", vector_store_name: "handbook", file_id: `file-${id.slice(0, 2)}`, document_id: id.slice(0, 2), filename: `${id.slice(0, 2)}.pdf`, page: 3, heading: "Guarantee > Burrs", start: 5, end: 9, beginning: "## Burrs | are guaranteed | for C# too", ...more });

  it("is told by document, place and first words, its id below", async () => {
    serve({ "GET /v1/traces/t/found": { data: [place(ids[0]!), place(ids[1]!, { page: null, heading: "" }), place(ids[2]!, { start: null, end: null, beginning: "" })] } });
    show(<Hits trace="t" retrieval={retrieval} cited={[]} />);
    await screen.findAllByText("d1.pdf");
    const rows = screen.getAllByRole("row").slice(1).map((row) => row.querySelector(".found-place")!.textContent);
    expect(rows).toEqual([
      "d1.pdf page 3 · Guarantee > BurrsBurrs are guaranteed for C# tood1.1.0",
      "d1.pdfBurrs are guaranteed for C# tood1.1.1",
      "d2.pdf has changed sinced2.1.0",
      "No longer there, or not for this keyd3.1.0",
    ]);
    screen.getByText(/4 chunks were found, evidence 0.50. The answer cites 0 passages./);
  });

  it("is opened where it stands", async () => {
    serve({ "GET /v1/traces/t/found": { data: [place(ids[0]!)] }, "GET /v1/vector_stores/vs/files/file-d1/content": { data: [{ text: "Burrs" }], before: "The ", after: " last.", start: 5, end: 9, length: 20 } });
    show(<Hits trace="t" retrieval={retrieval} cited={[]} />);
    fireEvent.click(await screen.findByRole("button", { name: "d1.pdf" }));
    await screen.findByText("Burrs");
    expect(calls.at(-1)!.path).toContain("start=5&end=9");
  });

  it("is still told by its ids where its places cannot be read", async () => {
    serve({ "GET /v1/traces/t/found": () => refusal(500, "the store is away") });
    show(<Hits trace="t" retrieval={retrieval} cited={[]} />);
    await screen.findByText(/could not be read/);
    screen.getByText("d1.1.0");
    expect(screen.queryByText(/No longer there/)).toBeNull();
  });
});

describe("a replay", () => {
  const side = { answer_id: "a", trace_id: "t1", created_at: 1, status: "completed", requested: "small", model: "small", prompt: null, sampling: {}, text: "It is red.", finish: ["stop"], cache: null, prompt_tokens: 3, completion_tokens: 4, cost_usd: 0, duration_ms: 10, ttft_ms: 5, citations: [], guards: [] };
  const found = { id: "evt_9", created_at: 2, original: side, replay: { ...side, model: "large", text: "It is blue." }, diff: [{ kind: "same", text: "It is " }, { kind: "removed", text: "red." }, { kind: "added", text: "blue." }], agreement: { exact: false, similarity: 0.9 }, notices: ["findings stay replaced"] };

  it("asks with what is changed alone, and opens both answers", async () => {
    serve({ "GET /v1/models": { data: [{ id: "large", kind: "chat" }] }, "GET /v1/prompts": { data: [{ id: "support", labels: { production: { version: 1, revision: 1 } } }] }, "POST /v1/replays": found });
    show(<ReplayDialog trace="t1" requested="small" onClose={() => {}} />);
    fireEvent.change(await screen.findByLabelText("Prompt"), { target: { value: "support@production" } });
    fireEvent.change(screen.getByLabelText("Model or application"), { target: { value: "large" } });
    fireEvent.change(screen.getByLabelText("Seed"), { target: { value: "7" } });
    fireEvent.click(screen.getByRole("button", { name: "Replay" }));
    await waitFor(() => expect(location.pathname).toBe("/console/traces/t1/replay/evt_9"));
    expect(calls.at(-1)!.body).toEqual({ trace_id: "t1", model: "large", prompt: { id: "support", version: "production" }, parameters: { seed: 7 } });
  });

  it("that is refused says why", async () => {
    serve({ "GET /v1/models": { data: [] }, "GET /v1/prompts": { data: [] }, "POST /v1/replays": () => refusal(409, "the answer was not stored") });
    show(<ReplayDialog trace="t1" requested="small" onClose={() => {}} />);
    fireEvent.click(screen.getByRole("button", { name: "Replay" }));
    await screen.findByText("The answer was not stored.");
  });

  it("shows each side with its own words marked", async () => {
    serve({ "GET /v1/replays/evt_9": found });
    show(<ReplayView trace="t1" id="evt_9" />);
    const before = await screen.findByLabelText("As it was");
    const after = screen.getByLabelText("Replayed");
    expect(before.querySelector(".replay-text")!.textContent).toBe("It is red.");
    expect(after.querySelector(".replay-text")!.textContent).toBe("It is blue.");
    expect(after.querySelector("ins")!.textContent).toBe("blue.");
    screen.getByText("similarity 0.90");
    screen.getByText("Findings stay replaced.");
  });
});

describe("the list of traces", () => {
  const row = (id: string, more: object): object => ({ id, started_at: 1, start_ns: "1", duration_ms: 5, name: "request", operation: "chat", model: "handbook", answered_by: null, answer_id: null, status: "ok", error: null, ttft_ms: 2, cache: null, input_tokens: 1, output_tokens: 1, cost_usd: 0, spans: 2, ...more });
  const served = (): void =>
    serve({
      "GET /v1/models": { data: [] },
      "GET /v1/keys": { data: [{ id: "key_2", name: "website" }] },
      "GET /v1/traces": { data: [row("t1", { answered: false, question: "Who won in Ulan Bator?", key_id: "key_2", session_id: "talk-1", cache: "hit" }), row("t2", { answered: true, question: null })] },
    });

  it("tells the question, the key and the session, and what the documents do not say", async () => {
    served();
    show(<TraceList />);
    const first = within((await screen.findByText("Who won in Ulan Bator?")).closest("tr")!);
    first.getByText("not in the documents");
    await first.findByText("website");
    first.getByText("talk-1");
    within(screen.getByText("no question kept").closest("tr")!).getByText("answered");
  });

  it("is searched by words, session and time", async () => {
    served();
    show(<TraceList />);
    fireEvent.change(await screen.findByLabelText("Question contains"), { target: { value: "ulan" } });
    fireEvent.keyDown(screen.getByLabelText("Question contains"), { key: "Enter" });
    await waitFor(() => expect(calls.at(-1)!.path).toContain("q=ulan"));
    fireEvent.change(screen.getByLabelText("From"), { target: { value: "2026-01-02T03:04" } });
    await waitFor(() => expect(calls.at(-1)!.path).toContain(`since=${new Date("2026-01-02T03:04").getTime() / 1000}`));
    fireEvent.click(await screen.findByText("talk-1"));
    await waitFor(() => expect(calls.at(-1)!.path).toContain("session_id=talk-1"));
    fireEvent.click(screen.getByText("All sessions"));
    await waitFor(() => expect(calls.at(-1)!.path).not.toContain("session_id"));
    history.replaceState(null, "", "/console/traces");
  });
});
