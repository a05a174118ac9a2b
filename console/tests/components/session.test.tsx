// @vitest-environment jsdom
import { fireEvent, screen, waitFor } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import * as conversations from "../../src/lib/conversations";
import { markdown } from "../../src/lib/written";
import { CollectionView } from "../../src/pages/knowledge/collection";
import { History } from "../../src/pages/chat/history";
import { Shell } from "../../src/shell";
import { ADMIN, serve, show } from "./bench";

const KEPT = "mainspring.conversations.key_1";

function kept(title: string, said: string): conversations.Conversation {
  const made = conversations.make(["handbook"]);
  const turns = { q: { id: "q", parent: "", role: "user" as const, text: said } };
  return { ...made, title, panes: [{ model: "handbook", turns, shown: { "": "q" } }] };
}

it("signing out asks, and deletes nothing unless that is wanted", async () => {
  conversations.open("key_1");
  conversations.put(kept("Rooms", "How much is a room?"));
  const left = vi.fn();
  show(<Shell me={ADMIN} onLeave={left}><p /></Shell>);
  fireEvent.click(screen.getByLabelText("Sign out"));
  expect(left).not.toHaveBeenCalled();
  fireEvent.click(screen.getByRole("button", { name: "Cancel" }));
  expect(sessionStorage.getItem("mainspring.key")).toBe("ms-test");
  fireEvent.click(screen.getByLabelText("Sign out"));
  fireEvent.click(screen.getAllByRole("button", { name: "Sign out" }).at(-1)!);
  expect(left).toHaveBeenCalledOnce();
  expect(sessionStorage.getItem("mainspring.key")).toBeNull();
  expect(localStorage.getItem(KEPT)).toContain("How much is a room?");
  conversations.open("key_1");
  fireEvent.click(screen.getByLabelText("Sign out"));
  fireEvent.click(screen.getByLabelText(/Delete them/));
  fireEvent.click(screen.getAllByRole("button", { name: "Sign out" }).at(-1)!);
  expect(localStorage.getItem(KEPT)).toBeNull();
});

it("conversations are found by what was said in them, renamed and exported", () => {
  conversations.open("key_1");
  const all = [kept("Rooms", "How much is a room?"), kept("Burrs", "How long are they guaranteed?"), kept("a", "x"), kept("b", "x"), kept("c", "x")];
  for (const each of all) conversations.put(each);
  show(<History all={all} current={undefined} onNew={() => {}} onClose={() => {}} />);
  fireEvent.change(screen.getByLabelText("Find a conversation"), { target: { value: "GUARANTEED" } });
  expect(screen.queryByText("Rooms")).toBeNull();
  fireEvent.click(screen.getByLabelText("Rename “Burrs”"));
  fireEvent.change(screen.getByLabelText("Title"), { target: { value: "Guarantee" } });
  fireEvent.click(screen.getByRole("button", { name: "Rename" }));
  expect(conversations.find(all[1]!.id)!.title).toBe("Guarantee");
  expect(markdown(all[0]!)).toBe("# Rooms\n\n**Question**\n\nHow much is a room?\n");
});

it("a collection tells its sources and is asked with one click; its documents are counted as they are", async () => {
  const file = (id: number): object => ({ id: `f${id}`, created_at: 1, status: "completed", last_error: null, usage_bytes: 1, filename: `${id}.md`, document_id: "d", chunks: 1, pages: null });
  serve({
    "GET /v1/vector_stores/vs": { id: "vs", name: "handbook", description: "", groups: [], file_counts: { total: 0 } },
    "GET /v1/vector_stores/vs/files": { data: [1, 2, 3, 4, 5, 6, 7, 8, 9].map(file), has_more: false },
    "GET /v1/vector_stores/vs/sources": { data: [{ id: "src", kind: "files", location: "/srv/contracts", error: "gone", synced_at: 1 }] },
  });
  show(<CollectionView id="vs" />);
  await screen.findByText("/srv/contracts");
  screen.getByText("gone");
  await waitFor(() => expect(screen.getAllByText("9 documents")).toHaveLength(2));
  expect(screen.queryByText("0 documents")).toBeNull();
  fireEvent.click(screen.getByText("Ask this"));
  expect(location.pathname + location.search).toBe("/console/chat?ask=handbook");
});
