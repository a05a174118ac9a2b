// Files attached to a conversation: choosing them and where they go, and the row that shows how far they are.
import { useState, type ReactNode } from "react";
import { ApiError } from "../../api/client";
import type { Store } from "../../api/types";
import type { Attached, AttachedFile } from "../../lib/attached";
import { detach } from "../../lib/attachments";
import { bytes } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { everything } from "../../lib/everything";
import { Link, path } from "../../lib/route";
import { Field } from "../../ui/controls";
import { Dialog } from "../../ui/dialog";
import { DropZone } from "../../ui/drop";
import { Icon } from "../../ui/icon";
import { toast } from "../../ui/toast";

interface DialogProps {
  attached: Attached;
  onFiles: (files: File[], into: { id: string; name: string } | undefined) => void;
  onClose: () => void;
}

export function AttachDialog({ attached, onFiles, onClose }: DialogProps): ReactNode {
  const stores = useResource("stores", (signal) => everything<Store>("/v1/vector_stores", signal));
  const [into, setInto] = useState("");
  const store = attached.store;
  const chosen = stores.data?.find((each) => each.id === into);
  return (
    <Dialog title="Attach files" onClose={onClose} subtitle="PDF, Office, HTML, Markdown, text or code. Answers then come from these files and cite them.">
      {store ? (
        <p>They are added to <strong>{store.name}</strong>, as the files before.</p>
      ) : (
        <Field label="Collection" hint={chosen ? "Everybody who may read this collection can find the files." : "It is created now and appears under Knowledge."}>
          {(ids) => (
            <select {...ids} value={into} onChange={(event) => setInto(event.target.value)}>
              <option value="">A new one for this conversation</option>
              {(stores.data ?? []).map((each) => <option key={each.id} value={each.id}>{each.name}</option>)}
            </select>
          )}
        </Field>
      )}
      <DropZone onFiles={(files) => onFiles(files, store ?? (chosen && { id: chosen.id, name: chosen.name }))} />
    </Dialog>
  );
}

export function AttachedRow({ conversation, attached, onLeave }: { conversation: string; attached: Attached; onLeave: () => void }): ReactNode {
  if (!attached.store && attached.files.length === 0) return null;
  const drop = (file: AttachedFile): void => {
    detach(conversation, file).catch((error: unknown) => toast(error instanceof ApiError ? error.message : "The file could not be removed."));
  };
  return (
    <div className="attached" role="group" aria-label="Attached files">
      {attached.store && (
        <span className="attached-store small">
          <Icon name="knowledge" size={14} />
          <span>Answers from <Link to={path("knowledge", attached.store.id)}>{attached.store.name}</Link></span>
          <button type="button" className="chip-close" aria-label={`Stop answering from ${attached.store.name}`} title="Answer from all documents again" onClick={onLeave}>
            <Icon name="close" size={12} />
          </button>
        </span>
      )}
      <ul>
        {attached.files.map((file) => <FileChip key={file.id} file={file} onDrop={() => drop(file)} />)}
      </ul>
    </div>
  );
}

const SAID: Record<AttachedFile["state"], (file: AttachedFile) => string> = {
  sending: (file) => `${Math.round(100 * file.share)} %`,
  reading: () => "reading …",
  ready: (file) => bytes(file.size),
  failed: () => "failed",
};

function FileChip({ file, onDrop }: { file: AttachedFile; onDrop: () => void }): ReactNode {
  return (
    <li className={`chip ${file.state}`}>
      <span className="chip-icon" aria-hidden="true">
        {file.state === "sending" || file.state === "reading" ? <span className="spinner" /> : <Icon name={file.state === "failed" ? "warning" : "file"} size={15} />}
      </span>
      <span className="chip-name" title={file.name}>{file.name}</span>
      <span className="chip-state">{SAID[file.state](file)}</span>
      <button type="button" className="chip-close" aria-label={`${file.state === "sending" ? "Stop the upload of" : "Remove"} ${file.name}`} onClick={onDrop}>
        <Icon name="close" size={12} />
      </button>
      {file.state === "sending" && <progress className="chip-progress" max={1} value={file.share} aria-label={`Upload of ${file.name}`} />}
      {file.error && <span className="chip-error" role="alert">{file.error}</span>}
    </li>
  );
}
