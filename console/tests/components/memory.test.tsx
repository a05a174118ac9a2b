// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import MemoryPage from "../../src/pages/memory/page";
import { calls, refusal, serve, show } from "./bench";

const FACT = { id: "mem_1", text: "I live in Lisbon.", kind: "fact", slot: "home", origin: "rules", session_id: null, at: 1, expires_at: null, superseded_at: null, uses: 2 };
const changes = (): unknown[] => calls.filter((call) => call.method !== "GET").map(({ method, path, body }) => [method, path, body]);

function known(consent: boolean | null, ...facts: object[]): void {
  serve({ "GET /v1/memories/consent": { consent }, "GET /v1/memories": { data: facts } });
}

it("nothing can be added before the person agrees", async () => {
  known(null);
  serve({ "PUT /v1/memories/consent": { consent: true } });
  show(<MemoryPage />);
  await screen.findByText("not decided");
  expect(screen.getByText("Add").closest("button")!.disabled).toBe(true);
  known(true);
  fireEvent.click(screen.getByText("Agree"));
  await screen.findByText("agreed");
  expect(changes()).toEqual([["PUT", "/v1/memories/consent", { consent: true, user: "" }]]);
  expect(screen.getByText("Add").closest("button")!.disabled).toBe(false);
});

it("consent is taken back only after a second word", async () => {
  known(true, FACT);
  serve({ "PUT /v1/memories/consent": { consent: false } });
  show(<MemoryPage />);
  fireEvent.click(await screen.findByText("Take consent back"));
  expect(changes()).toEqual([]);
  fireEvent.click(screen.getByText("Take back and forget"));
  await waitFor(() => expect(changes()).toEqual([["PUT", "/v1/memories/consent", { consent: false, user: "" }]]));
});

it("a fact is changed, and a refusal is shown at its field", async () => {
  known(true, FACT);
  serve({ "POST /v1/memories/mem_1": () => refusal(403, "this reads like an attack") });
  show(<MemoryPage />);
  fireEvent.click(await screen.findByLabelText("Change: I live in Lisbon."));
  fireEvent.change(screen.getByLabelText("Fact"), { target: { value: "I live in Porto." } });
  fireEvent.click(screen.getByText("Save"));
  await screen.findByText("This reads like an attack.");
  serve({ "POST /v1/memories/mem_1": FACT });
  fireEvent.click(screen.getByText("Save"));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  expect(changes().at(-1)).toEqual(["POST", "/v1/memories/mem_1", { text: "I live in Porto.", user: "" }]);
});

it("a fact shows what it superseded, and is forgotten", async () => {
  known(true, FACT);
  serve({ "GET /v1/memories/mem_1/history": { data: [{ ...FACT, id: "mem_0", text: "I live in Porto.", superseded_at: 1 }] }, "DELETE /v1/memories/mem_1": { deleted: true } });
  show(<MemoryPage />);
  fireEvent.click(await screen.findByLabelText("History of: I live in Lisbon."));
  await screen.findByText("I live in Porto.");
  fireEvent.click(screen.getByLabelText("Close"));
  fireEvent.click(screen.getByLabelText("Forget: I live in Lisbon."));
  fireEvent.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Forget" }));
  await waitFor(() => expect(changes()).toEqual([["DELETE", "/v1/memories/mem_1", undefined]]));
});

it("the memory of a user of the application is searched", async () => {
  known(true, FACT);
  serve({ "POST /v1/memories/search": { data: [{ id: "mem_2", text: "I prefer tea.", at: 1, score: 0.731 }] } });
  show(<MemoryPage />);
  fireEvent.change(await screen.findByLabelText("Search"), { target: { value: "drink" } });
  fireEvent.change(screen.getByLabelText("User of the application"), { target: { value: "ada" } });
  fireEvent.click(screen.getByText("Show"));
  await screen.findByText("score 0.73");
  expect(changes()).toEqual([["POST", "/v1/memories/search", { query: "drink", user: "ada", limit: 20 }]]);
  expect(calls.some((call) => call.path === "/v1/memories/consent?user=ada")).toBe(true);
});
