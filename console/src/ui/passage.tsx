// A cited passage, marked in its document.
import { useEffect, useRef, useState, type ReactNode } from "react";
import { get } from "../api/client";
import type { Citation, Passage } from "../api/types";
import { place } from "../lib/citations";
import { count } from "../lib/format";
import { useResource } from "../lib/resource";
import { headed, pieces, type Cell } from "../lib/rows";
import { Button } from "./controls";
import { Dialog } from "./dialog";
import { PagePicture } from "./page_picture";
import { Loaded, Note } from "./states";

export type Place = Pick<Citation, "source" | "page" | "heading" | "start" | "end" | "vector_store_id" | "file_id" | "document_id"> & { quote?: string };

const NEAR = 1200;
const FAR = 20_000;

export function PassageDrawer({ citation, onClose }: { citation: Place; onClose: () => void }): ReactNode {
  const [around, setAround] = useState(NEAR);
  const file = citation.file_id ?? citation.document_id;
  const files = `/v1/vector_stores/${encodeURIComponent(citation.vector_store_id)}/files/${encodeURIComponent(file)}`;
  const url = `${files}/content?start=${citation.start}&end=${citation.end}&around=${around}`;
  const passage = useResource(url, (signal) => get<Passage>(url, signal));
  return (
    <Dialog
      kind="drawer"
      wide={Boolean(citation.page)}
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
            <div className={citation.page ? "beside" : undefined}>
              {citation.page && <PagePicture pages={`${files}/pages`} number={citation.page} span={`start=${citation.start}&end=${citation.end}`} label={citation.source} />}
              <DocumentText found={found} name={citation.source} />
            </div>
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

function DocumentText({ found, name }: { found: Passage; name: string }): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // In braces: where it returns a promise, that would be taken for what is to be called at the end.
    box.current?.querySelector("mark")?.scrollIntoView({ block: "center" });
  }, [found]);
  const passage = found.data[0]!.text;
  const from = found.before.length;
  const marked = (text: string, start: number): ReactNode => {
    const first = Math.min(Math.max(from - start, 0), text.length);
    const last = Math.min(Math.max(from + passage.length - start, 0), text.length);
    return first < last ? <>{text.slice(0, first)}<mark>{text.slice(first, last)}</mark>{text.slice(last)}</> : text;
  };
  return (
    <div className="document-text" ref={box}>
      {found.start - signs(found.before) > 0 && <span className="muted">… </span>}
      {pieces(found.before + passage + found.after).map((piece, index) =>
        "columns" in piece ? (
          <Rows key={index} columns={piece.columns} rows={piece.rows} marked={marked} />
        ) : (
          headed(piece.text, piece.start, name).map((line) =>
            line.heading ? <strong key={line.start}>{marked(line.text, line.start)}</strong> : <span key={line.start}>{marked(line.text, line.start)}</span>,
          )
        ),
      )}
      {found.end + signs(found.after) < found.length && <span className="muted"> …</span>}
    </div>
  );
}

function Rows({ columns, rows, marked }: { columns: string[]; rows: Cell[][]; marked: (text: string, start: number) => ReactNode }): ReactNode {
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label="Table">
      <table className="table">
        <thead><tr>{columns.map((name, index) => <th key={index}>{name}</th>)}</tr></thead>
        <tbody>
          {rows.map((row, index) => <tr key={index}>{row.map((cell, at) => <td key={at}>{marked(cell.text, cell.start)}</td>)}</tr>)}
        </tbody>
      </table>
    </div>
  );
}
