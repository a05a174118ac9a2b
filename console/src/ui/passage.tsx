// A cited passage, marked in its document.
import { useEffect, useRef, useState, type ReactNode } from "react";
import { get } from "../api/client";
import type { Citation, Passage } from "../api/types";
import { place } from "../lib/citations";
import { count } from "../lib/format";
import { useResource } from "../lib/resource";
import { Button } from "./controls";
import { Dialog } from "./dialog";
import { Loaded, Note } from "./states";

export type Place = Pick<Citation, "source" | "page" | "heading" | "start" | "end" | "vector_store_id" | "file_id" | "document_id"> & { quote?: string };

const NEAR = 1200;
const FAR = 20_000;

export function PassageDrawer({ citation, onClose }: { citation: Place; onClose: () => void }): ReactNode {
  const [around, setAround] = useState(NEAR);
  const file = citation.file_id ?? citation.document_id;
  const where = `/v1/vector_stores/${encodeURIComponent(citation.vector_store_id)}/files/${encodeURIComponent(file)}/content`;
  const url = `${where}?start=${citation.start}&end=${citation.end}&around=${around}`;
  const passage = useResource(url, (signal) => get<Passage>(url, signal));
  return (
    <Dialog
      kind="drawer"
      title={citation.source}
      subtitle={`${place({ ...citation, source: "" } as Citation) || "Passage"} · characters ${count(citation.start)} to ${count(citation.end)}`}
      onClose={onClose}
    >
      <Loaded of={passage} what="Opening the document">
        {(found) => (
          <>
            {citation.quote !== undefined && found.data[0]!.text !== citation.quote && (
              <Note tone="warn">The document has changed since it was cited. Then it said: “{citation.quote}”</Note>
            )}
            <DocumentText found={found} />
            {around < FAR && (found.start - signs(found.before) > 0 || found.end + signs(found.after) < found.length) && (
              <Button onClick={() => setAround(FAR)}>Show more of the document</Button>
            )}
          </>
        )}
      </Loaded>
    </Dialog>
  );
}

// The server counts characters, this language halves of some.
function signs(text: string): number {
  return [...text].length;
}

function DocumentText({ found }: { found: Passage }): ReactNode {
  const mark = useRef<HTMLElement>(null);
  useEffect(() => {
    // In braces: where it returns a promise, that would be taken for what is to be called at the end.
    mark.current?.scrollIntoView({ block: "center" });
  }, [found]);
  return (
    <div className="document-text">
      {found.start - signs(found.before) > 0 && <span className="muted">… </span>}
      {found.before}
      <mark ref={mark}>{found.data[0]!.text}</mark>
      {found.after}
      {found.end + signs(found.after) < found.length && <span className="muted"> …</span>}
    </div>
  );
}
