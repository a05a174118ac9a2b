// A file's way into a collection: sent, attached, and read there until answers can be made of it.
import { ApiError, get, post, upload } from "./client";
import type { StoreFile } from "./types";

const FIRST_LOOK_MS = 250;
const LAST_LOOK_MS = 2000;

export function storeUrl(store: string): string {
  return `/v1/vector_stores/${encodeURIComponent(store)}`;
}

// Sends a file and attaches it. Gives the file's id as soon as the collection has begun to read it.
export async function sendInto(store: string, file: File, progress: (share: number) => void, signal: AbortSignal): Promise<string> {
  const sent = await upload(file, progress, signal);
  await post(`${storeUrl(store)}/files`, { file_id: sent.id }, signal);
  return sent.id;
}

// Waits until a document is read. Raises ApiError with what the server says where it cannot be.
export async function untilRead(store: string, file: string, signal: AbortSignal): Promise<StoreFile> {
  for (let pause = FIRST_LOOK_MS; ; pause = Math.min(LAST_LOOK_MS, pause * 1.5)) {
    const document = await get<StoreFile>(`${storeUrl(store)}/files/${encodeURIComponent(file)}`, signal);
    if (document.status === "completed") return document;
    if (document.status !== "in_progress") {
      throw new ApiError(document.last_error?.message ?? "The document could not be read.", 0, document.last_error?.code ?? document.status);
    }
    await new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, pause);
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        reject(new DOMException("stopped", "AbortError"));
      });
    });
  }
}
