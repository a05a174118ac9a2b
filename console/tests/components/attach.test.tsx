// @vitest-environment jsdom
import { act, fireEvent, screen, waitFor } from "@testing-library/react";
import type { ReactNode } from "react";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { NO_FILES } from "../../src/lib/attached";
import { attach } from "../../src/lib/attachments";
import * as conversations from "../../src/lib/conversations";
import { AttachDialog, AttachedRow } from "../../src/pages/chat/attach";
import { calls, refusal, serve, show } from "./bench";

// Files go by XMLHttpRequest: one that succeeds, or answers what the test says.
let answered: { status: number; body: unknown } = { status: 200, body: { id: "file_1" } };

class Sending {
  upload: { onprogress?: (event: object) => void } = {};
  onload?: () => void;
  onabort?: () => void;
  status = 0;
  responseText = "";
  open(): void {}
  setRequestHeader(): void {}
  abort(): void {
    this.onabort?.();
  }
  send(): void {
    setTimeout(() => {
      this.upload.onprogress?.({ lengthComputable: true, loaded: 1, total: 2 });
      this.status = answered.status;
      this.responseText = JSON.stringify(answered.body);
      this.onload?.();
    });
  }
}

function Row({ id }: { id: string }): ReactNode {
  const all = conversations.useConversations();
  const found = all.find((each) => each.id === id)!;
  return <AttachedRow conversation={id} attached={found.attached ?? NO_FILES} onLeave={() => {}} />;
}

const file = new File(["text"], "manual.md");

describe("files attached to a conversation", () => {
  let id = "";
  beforeEach(() => {
    vi.stubGlobal("XMLHttpRequest", Sending);
    answered = { status: 200, body: { id: "file_1" } };
    conversations.open("key_1");
    const made = conversations.make(["document-qa"]);
    id = made.id;
    conversations.put(made);
  });

  it("go into a collection of their own, and are ready when they are read", async () => {
    let looks = 0;
    serve({
      "POST /v1/vector_stores": (call: { body: unknown }) => ({ id: "vs_1", name: (call.body as { name: string }).name }),
      "POST /v1/vector_stores/vs_1/files": {},
      "GET /v1/vector_stores/vs_1/files/file_1": () => ({ status: ++looks < 2 ? "in_progress" : "completed" }),
    });
    show(<Row id={id} />);
    await act(() => attach(id, [file], undefined));
    screen.getByText("reading …");
    await screen.findByText("4 B", undefined, { timeout: 3000 });
    const made = calls.find((call) => call.method === "POST")!.body as { name: string };
    expect(made.name).toMatch(/^[A-Za-z0-9][A-Za-z0-9 _.-]{0,127}$/);
    expect(conversations.find(id)!.attached!.store).toEqual({ id: "vs_1", name: made.name, own: true });
  });

  it("go into the one that was chosen", async () => {
    serve({ "POST /v1/vector_stores/vs_2/files": {}, "GET /v1/vector_stores/vs_2/files/file_1": { status: "completed" } });
    show(<Row id={id} />);
    await act(() => attach(id, [file], { id: "vs_2", name: "manuals" }));
    await screen.findByText("manuals");
    expect(calls.map((call) => call.path)).not.toContain("/v1/vector_stores");
    expect(conversations.find(id)!.attached!.store!.own).toBe(false);
  });

  it("that are refused or cannot be read say why", async () => {
    serve({
      "POST /v1/vector_stores/vs_2/files": {},
      "GET /v1/vector_stores/vs_2/files/file_1": { status: "failed", last_error: { code: "unreadable_document", message: "The PDF is encrypted." } },
    });
    show(<Row id={id} />);
    await act(() => attach(id, [file], { id: "vs_2", name: "manuals" }));
    await screen.findByText("The PDF is encrypted.");
    answered = { status: 413, body: { error: { message: "the body is larger than 5 bytes", code: "too_large", param: null } } };
    await act(() => attach(id, [new File(["more"], "big.pdf")], undefined));
    await screen.findByText("The body is larger than 5 bytes.");
  });

  it("whose collection cannot be made say why", async () => {
    serve({ "POST /v1/vector_stores": () => refusal(403, "the key lacks the scope ingest") });
    show(<Row id={id} />);
    await act(() => attach(id, [file], undefined));
    screen.getByText("The key lacks the scope ingest.");
  });

  it("are taken out again", async () => {
    serve({ "POST /v1/vector_stores/vs_2/files": {}, "GET /v1/vector_stores/vs_2/files/file_1": { status: "completed" }, "DELETE /v1/vector_stores/vs_2/files/file_1": {} });
    show(<Row id={id} />);
    await act(() => attach(id, [file], { id: "vs_2", name: "manuals" }));
    await screen.findByText("4 B");
    fireEvent.click(screen.getByLabelText("Remove manual.md"));
    await waitFor(() => expect(calls.at(-1)!.method).toBe("DELETE"));
    expect(screen.queryByText("manual.md")).toBeNull();
  });
});

it("a dialog offers the collections that there are", async () => {
  serve({ "GET /v1/vector_stores": { data: [{ id: "vs_2", name: "manuals" }], has_more: false } });
  const sent = vi.fn();
  const { container } = show(<AttachDialog attached={NO_FILES} onFiles={sent} onClose={() => {}} />);
  fireEvent.change(await screen.findByLabelText("Collection"), { target: { value: "" } });
  await screen.findByText("manuals");
  fireEvent.change(screen.getByLabelText("Collection"), { target: { value: "vs_2" } });
  fireEvent.change(container.querySelector("input[type=file]")!, { target: { files: [file] } });
  expect(sent).toHaveBeenCalledWith([file], { id: "vs_2", name: "manuals" });
});
