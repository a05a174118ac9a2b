// What is attached to a conversation.

export interface AttachedFile {
  id: string;
  name: string;
  size: number;
  share: number;
  state: "sending" | "reading" | "ready" | "failed";
  error?: string;
  file?: string;
}

export interface Attached {
  // `own`: the collection was made for this conversation.
  store?: { id: string; name: string; own: boolean };
  files: AttachedFile[];
}

export const NO_FILES: Attached = { files: [] };
export const ANSWERS = "document-qa";

export function pending(attached: Attached | undefined): boolean {
  return (attached?.files ?? []).some((file) => file.state === "sending" || file.state === "reading");
}

// What was being sent when the page was closed never arrived; what was being read is looked for again.
export function settled(attached: Attached): Attached {
  const ended = (file: AttachedFile): AttachedFile =>
    file.state === "sending" ? { ...file, state: "failed", error: "The page was closed before the file was uploaded." } : file;
  return { ...attached, files: attached.files.map(ended) };
}
