// Files attached to a conversation. They go into a collection, one of the conversation's own or a chosen one, and
// document-qa then answers from that collection alone.
import { ApiError, post, remove } from "../api/client";
import type { Store } from "../api/types";
import { sendInto, storeUrl, untilRead } from "../api/upload";
import { NO_FILES, type Attached, type AttachedFile } from "./attached";
import * as conversations from "./conversations";
import { newId } from "./ids";

const running = new Map<string, AbortController>();

function change(conversation: string, by: (attached: Attached) => Attached): void {
  conversations.update(conversation, (each) => ({ ...each, attached: by(each.attached ?? NO_FILES) }));
}

function changeFile(conversation: string, id: string, by: Partial<AttachedFile>): void {
  change(conversation, (attached) => ({
    ...attached,
    files: attached.files.map((file) => (file.id === id ? { ...file, ...by } : file)),
  }));
}

function drop(conversation: string, id: string): void {
  change(conversation, (attached) => ({ ...attached, files: attached.files.filter((file) => file.id !== id) }));
}

// A name that a collection may have, and that nobody else's conversation has.
export function ownName(now: Date): string {
  const said = now.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  return `Chat files ${said} ${newId().replaceAll("-", "").slice(0, 6)}`;
}

// Puts files into `into`, or into a new collection. Each goes its own way to "ready" or "failed".
export async function attach(conversation: string, files: File[], into: { id: string; name: string } | undefined): Promise<void> {
  const before = conversations.find(conversation)?.attached?.store;
  const rows = files.map((file) => ({ file, row: { id: newId(), name: file.name, size: file.size, share: 0, state: "sending" as const } }));
  change(conversation, (attached) => ({ ...attached, files: [...attached.files, ...rows.map((each) => each.row)] }));
  let store = into ? { ...into, own: false } : before;
  try {
    store ??= await made();
  } catch (error) {
    for (const { row } of rows) changeFile(conversation, row.id, { state: "failed", error: (error as ApiError).message });
    return;
  }
  const target = store;
  change(conversation, (attached) => ({ ...attached, store: target }));
  // One after the other: together they would only share the line.
  for (const { file, row } of rows) {
    const stopping = new AbortController();
    running.set(row.id, stopping);
    try {
      const sent = await sendInto(target.id, file, (share) => changeFile(conversation, row.id, { share }), stopping.signal);
      changeFile(conversation, row.id, { state: "reading", share: 1, file: sent });
      void follow(conversation, target.id, row.id, sent, stopping);
    } catch (error) {
      failed(conversation, row.id, error);
    }
  }
}

async function made(): Promise<{ id: string; name: string; own: boolean }> {
  const store = await post<Store>("/v1/vector_stores", {
    name: ownName(new Date()),
    description: "Files of a conversation in the console",
    metadata: { made_by: "console" },
  });
  return { id: store.id, name: store.name, own: true };
}

async function follow(conversation: string, store: string, id: string, file: string, stopping: AbortController): Promise<void> {
  running.set(id, stopping);
  try {
    await untilRead(store, file, stopping.signal);
    running.delete(id);
    changeFile(conversation, id, { state: "ready" });
  } catch (error) {
    failed(conversation, id, error);
  }
}

function failed(conversation: string, id: string, error: unknown): void {
  running.delete(id);
  if (error instanceof ApiError) changeFile(conversation, id, { state: "failed", error: error.message });
  else if (error instanceof DOMException) drop(conversation, id);
  else changeFile(conversation, id, { state: "failed", error: "The file could not be sent." });
}

// Goes on looking at what was being read when the page was left.
export function resume(conversation: string): void {
  const attached = conversations.find(conversation)?.attached;
  for (const file of attached?.files ?? []) {
    if (file.state === "reading" && file.file && attached?.store && !running.has(file.id)) {
      void follow(conversation, attached.store.id, file.id, file.file, new AbortController());
    }
  }
}

// Stops a file on its way, or takes it out of the collection again.
export async function detach(conversation: string, file: AttachedFile): Promise<void> {
  running.get(file.id)?.abort();
  running.delete(file.id);
  const store = conversations.find(conversation)?.attached?.store;
  drop(conversation, file.id);
  if (store && file.file) await remove(`${storeUrl(store.id)}/files/${encodeURIComponent(file.file)}`);
}

export function leaveStore(conversation: string): void {
  change(conversation, () => NO_FILES);
}
