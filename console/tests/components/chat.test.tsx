// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import * as conversations from "../../src/lib/conversations";
import ChatPage from "../../src/pages/chat/page";
import { calls, serve, show } from "./bench";

const MODELS = { data: [{ id: "handbook", kind: "collection", created: 1 }, { id: "document-qa", kind: "application", created: 1 }, { id: "small", kind: "chat", created: 1 }] };
const STORE = { id: "vs_1", name: "handbook", created_at: 1, description: "", status: "completed", file_counts: { in_progress: 0, completed: 9, failed: 0, cancelled: 0, total: 9 }, usage_bytes: 9, groups: [], version: 1 };
const CITATION = { index: 1, document_id: "d", source: "travel.pdf", quote: "A room in Leeds may cost **£104**.", start: 1, end: 9, page: 3, heading: "Hotels", support: null, vector_store_id: "vs_1", file_id: "f" };

function streamed(...deltas: object[]): Response {
  const frames = deltas.map((delta) => `data: ${JSON.stringify({ choices: [{ index: 0, delta }] })}\n\n`);
  return new Response([...frames, "data: [DONE]\n\n"].join(""), { headers: { "x-answer-id": "ans_1", "x-model": "small" } });
}

async function asked(text: string): Promise<void> {
  fireEvent.change(await screen.findByLabelText("Your question"), { target: { value: text } });
  fireEvent.click(screen.getByLabelText("Send"));
}

function opened(models: object = MODELS): void {
  localStorage.clear();
  conversations.open("key_1");
  serve({
    "GET /v1/models": models,
    "GET /v1/presets": { data: [] },
    "GET /v1/vector_stores": { data: [STORE] },
    "GET /v1/vector_stores/vs_1/suggestions": { data: [{ text: "What is said about Hotels?" }] },
    "GET /v1/costs": { data: [] },
  });
  show(<ChatPage />);
}

it("what the documents do not say is told as that, with what was looked for", async () => {
  opened();
  serve({ "POST /v1/chat/completions": () => streamed({ content: "The documents do not say." }, { answered: false, sought: ["Reykjavik"] }) });
  await asked("How much is a room in Reykjavik?");
  await screen.findByText("not in the documents");
  screen.getByText(/not found in one document: Reykjavik/);
  expect(screen.queryByLabelText("Say it in the documents' own words")).toBeNull();
});

it("an answer stands under the model that gave it, shows the passage, and can be had verbatim", async () => {
  opened();
  serve({ "POST /v1/chat/completions": () => streamed({ content: "It may cost £104. [1]" }, { citations: [CITATION] }, { answered: true }) });
  await asked("How much is a room?");
  await screen.findByText("“A room in Leeds may cost £104.”");
  screen.getByText("page 3 · Hotels");
  fireEvent.change(screen.getByLabelText("Model"), { target: { value: "small" } });
  expect(screen.getByLabelText("Answer of document-qa").querySelector(".answer-of")!.textContent).toBe("document-qa");
  fireEvent.change(screen.getByLabelText("Model"), { target: { value: "handbook" } });
  fireEvent.click(screen.getByLabelText("Say it in the documents' own words"));
  await waitFor(() => expect(calls.filter((call) => call.path === "/v1/chat/completions")).toHaveLength(2));
  expect((calls.filter((call) => call.path === "/v1/chat/completions")[1]!.body as any).options).toEqual({ cache: false, mode: "extractive" });
  await within(await screen.findByLabelText("Answer of handbook")).findByText("verbatim");
});

it("what can be asked is suggested from the headings of the collection", async () => {
  opened();
  serve({ "POST /v1/chat/completions": () => streamed({ content: "Yes." }) });
  fireEvent.click(await screen.findByText("What is said about Hotels?"));
  await waitFor(() => expect((calls.find((call) => call.method === "POST")!.body as any).messages[0].content).toBe("What is said about Hotels?"));
});

it("models that are being pulled are shown with how far they are", async () => {
  opened({ ...MODELS, coming: [{ id: "qwen2.5", state: "pulling", stage: "downloading", done: 25, total: 100, detail: "" }] });
  await screen.findByText("being pulled: downloading 25 %");
});
