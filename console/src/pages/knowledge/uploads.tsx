// Files on their way into a collection.
import { useRef, useState, type DragEvent, type ReactNode } from "react";
import { ApiError, post, upload } from "../../api/client";
import { newId } from "../../lib/conversations";
import { bytes } from "../../lib/format";
import { Button, IconButton } from "../../ui/controls";

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
  const [over, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);

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
        const sent = await upload(file, (share) => change(row.id, { share }), row.stopping.signal);
        await post(`/v1/vector_stores/${encodeURIComponent(store)}/files`, { file_id: sent.id });
        change(row.id, { state: "done", share: 1 });
        onAttached();
      } catch (error) {
        const message = error instanceof ApiError ? error.message : "Stopped.";
        change(row.id, { state: "failed", error: message });
      }
    }
  };
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    setOver(false);
    void send([...event.dataTransfer.files]);
  };
  return (
    <section aria-label="Upload" className="stack">
      <div
        className={`drop ${over ? "over" : ""}`}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={drop}
      >
        <span className="wide-only">Drop files here, or</span>
        <Button icon="upload" onClick={() => input.current?.click()}>Choose files</Button>
        <input
          ref={input}
          type="file"
          multiple
          hidden
          aria-label="Files to upload"
          onChange={(event) => {
            void send([...(event.target.files ?? [])]);
            event.target.value = "";
          }}
        />
      </div>
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
