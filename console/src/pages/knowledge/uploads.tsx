// Files on their way into a collection.
import { useState, type ReactNode } from "react";
import { ApiError } from "../../api/client";
import { sendInto } from "../../api/upload";
import { bytes } from "../../lib/format";
import { newId } from "../../lib/ids";
import { IconButton } from "../../ui/controls";
import { DropZone } from "../../ui/drop";

interface Sending {
  id: string;
  name: string;
  size: number;
  share: number;
  state: "sending" | "done" | "failed";
  error?: string;
  stopping: AbortController;
}

export function Uploads({ store, onAttached }: { store: string; onAttached: () => void }): ReactNode {
  const [sending, setSending] = useState<Sending[]>([]);

  const change = (id: string, by: Partial<Sending>): void =>
    setSending((all) => all.map((each) => (each.id === id ? { ...each, ...by } : each)));

  const send = async (files: File[]): Promise<void> => {
    const made = files.map((file) => ({
      file,
      row: { id: newId(), name: file.name, size: file.size, share: 0, state: "sending" as const, stopping: new AbortController() },
    }));
    setSending((all) => [...all.filter((each) => each.state !== "done"), ...made.map((each) => each.row)]);
    // One after the other: together they would only share the line.
    for (const { file, row } of made) {
      try {
        await sendInto(store, file, (share) => change(row.id, { share }), row.stopping.signal);
        change(row.id, { state: "done", share: 1 });
        onAttached();
      } catch (error) {
        const message = error instanceof ApiError ? error.message : "Stopped.";
        change(row.id, { state: "failed", error: message });
      }
    }
  };
  return (
    <section aria-label="Upload" className="stack">
      <DropZone onFiles={(files) => void send(files)} />
      {sending.length > 0 && (
        <ul className="uploads" aria-label="Uploads">
          {sending.map((each) => (
            <li key={each.id}>
              <span>
                {each.name} <span className="muted">{bytes(each.size)}</span>
                {each.error && <span className="bad small block" role="alert">{each.error}</span>}
              </span>
              <progress max={1} value={each.share} aria-label={`Upload of ${each.name}`} />
              <span className="muted">{each.state === "sending" ? `${Math.round(100 * each.share)} %` : each.state === "done" ? "uploaded" : "failed"}</span>
              <IconButton
                icon="close"
                size={14}
                label={each.state === "sending" ? `Stop the upload of ${each.name}` : `Forget the upload of ${each.name}`}
                onClick={() => (each.state === "sending" ? each.stopping.abort() : setSending((all) => all.filter((other) => other.id !== each.id)))}
              />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
