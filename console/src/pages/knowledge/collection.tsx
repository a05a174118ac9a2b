// One collection: its documents, uploads, and the search debugger.
import { useEffect, useState, type ReactNode } from "react";
import { ApiError, get, may, remove } from "../../api/client";
import type { Store, StoreFile } from "../../api/types";
import { everything } from "../../lib/everything";
import { count, day, plural, short } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { go, Link, path, usePlace } from "../../lib/route";
import { useMe } from "../../session";
import { Badge, Button, Choice, IconButton } from "../../ui/controls";
import { Confirm } from "../../ui/dialog";
import { Icon } from "../../ui/icon";
import { Empty, Loaded } from "../../ui/states";
import { toast } from "../../ui/toast";
import { SourceList } from "./sources";
import { SearchDebugger } from "./search";
import { Uploads } from "./uploads";

export function CollectionView({ id }: { id: string }): ReactNode {
  const me = useMe();
  const { query } = usePlace();
  const view = query.get("view") === "search" ? "search" : "documents";
  const url = `/v1/vector_stores/${encodeURIComponent(id)}`;
  const store = useResource(url, (signal) => get<Store>(url, signal));
  const files = useResource(`${url}/files`, (signal) => everything<StoreFile>(`${url}/files`, signal));
  const [going, setGoing] = useState(false);
  const fills = may(me, "ingest");
  const reading = files.data?.some((file) => file.status === "in_progress");
  useEffect(() => {
    if (!reading) return undefined;
    const timer = setTimeout(files.reload, 1000);
    return () => clearTimeout(timer);
  }, [reading, files]);

  return (
    <div className="page">
      <Loaded of={store} what="Opening the collection">
        {(found) => (
          <>
            <header className="page-head">
              <div>
                <Link to={path("knowledge")} className="back"><Icon name="left" size={15} />Knowledge</Link>
                <h1>{found.name}</h1>
                <p className="muted">
                  {[found.description, found.groups.length > 0 ? `only for ${found.groups.join(", ")}` : ""].filter(Boolean).join(" · ") || plural(files.data?.length ?? found.file_counts.total, "document")}
                </p>
              </div>
              <div className="row">
                <Choice
                  label="What is shown"
                  value={view}
                  options={[{ value: "documents", label: "Documents" }, { value: "search", label: "Search" }]}
                  onChange={(value) => go(path("knowledge", id) + (value === "search" ? "?view=search" : ""))}
                />
                <Button icon="chat" onClick={() => go(`${path("chat")}?ask=${encodeURIComponent(found.name)}`)}>Ask this</Button>
                {fills && <IconButton icon="trash" label="Delete the collection" onClick={() => setGoing(true)} />}
              </div>
            </header>
            {may(me, "admin") && view === "documents" && <SourceList store={found} onChange={files.reload} />}
            {view === "search" ? (
              <SearchDebugger store={found} />
            ) : (
              <>
                {fills && <Uploads store={found.id} onAttached={files.reload} />}
                <Loaded of={files} what="Looking for documents">
                  {(rows) => <Documents store={found} files={rows} fills={fills} onGone={files.reload} />}
                </Loaded>
              </>
            )}
            {going && <DeleteCollection store={found} onClose={() => setGoing(false)} />}
          </>
        )}
      </Loaded>
    </div>
  );
}

function DeleteCollection({ store, onClose }: { store: Store; onClose: () => void }): ReactNode {
  const [busy, setBusy] = useState(false);
  const yes = async (): Promise<void> => {
    setBusy(true);
    try {
      await remove(`/v1/vector_stores/${encodeURIComponent(store.id)}`);
      toast(`${store.name} is deleted`);
      go(path("knowledge"));
    } catch (error) {
      toast((error as ApiError).message);
      onClose();
    }
  };
  return (
    <Confirm title={`Delete ${store.name}?`} verb="Delete the collection" busy={busy} onYes={() => void yes()} onClose={onClose}>
      <p>{plural(store.file_counts.total, "document")} and the index of them are removed for everybody. Uploaded files themselves stay.</p>
    </Confirm>
  );
}

interface DocumentsProps {
  store: Store;
  files: StoreFile[];
  fills: boolean;
  onGone: () => void;
}

const TONES = { completed: "good", in_progress: "accent", failed: "bad", cancelled: "warn" } as const;
const SAID = { completed: "ready", in_progress: "being read", failed: "not read", cancelled: "cancelled" };

function Documents({ store, files, fills, onGone }: DocumentsProps): ReactNode {
  const [wanted, setWanted] = useState("");
  const [going, setGoing] = useState<StoreFile>();
  if (files.length === 0) {
    return <Empty icon="file" title="No documents yet">{fills ? "Drop files above: PDF, Office, HTML, Markdown, text or code." : "A key with the scope ingest adds them."}</Empty>;
  }
  const shown = files.filter((file) => file.filename.toLowerCase().includes(wanted.toLowerCase()));
  const detach = async (file: StoreFile): Promise<void> => {
    try {
      await remove(`/v1/vector_stores/${encodeURIComponent(store.id)}/files/${encodeURIComponent(file.id)}`);
      toast(`${file.filename} is removed`);
    } catch (error) {
      toast((error as ApiError).message);
    }
    setGoing(undefined);
    onGone();
  };
  return (
    <section className="stack" aria-label="Documents">
      <div className="section-head">
        <h2>{plural(files.length, "document")}</h2>
        {files.length > 8 && <div><input aria-label="Find a document" placeholder="Find a document" value={wanted} onChange={(event) => setWanted(event.target.value)} /></div>}
      </div>
      <div className="scroll" tabIndex={0} role="group" aria-label="Documents">
        <table className="table">
          <thead>
            <tr><th>Document</th><th>State</th><th className="number">Pages</th><th className="number">Characters</th><th className="number">Chunks</th><th>Added</th>{fills && <th className="tools"><span className="hidden">Actions</span></th>}</tr>
          </thead>
          <tbody>
            {shown.map((file) => (
              <tr key={file.id}>
                <td>
                  {file.status === "completed" ? <Link to={path("knowledge", store.id, file.id)}>{file.filename}</Link> : file.filename}
                  {file.last_error && <span className="bad small block">{file.last_error.message}</span>}
                </td>
                <td><Badge tone={TONES[file.status]}>{SAID[file.status]}</Badge></td>
                <td className="number">{file.pages ?? "–"}</td>
                <td className="number">{short(file.usage_bytes)}</td>
                <td className="number">{count(file.chunks)}</td>
                <td className="nowrap">{day(file.created_at)}</td>
                {fills && <td className="tools"><IconButton icon="trash" size={15} label={`Remove ${file.filename}`} onClick={() => setGoing(file)} /></td>}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {shown.length === 0 && <p className="muted">No document's name contains “{wanted}”. <Button kind="quiet" onClick={() => setWanted("")}>Show all</Button></p>}
      {going && (
        <Confirm title={`Remove ${going.filename}?`} verb="Remove" onYes={() => void detach(going)} onClose={() => setGoing(undefined)}>
          <p>Answers from {store.name} no longer use it. Its original stays where it is.</p>
        </Confirm>
      )}
    </section>
  );
}
