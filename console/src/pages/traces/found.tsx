// What was found for an answer, in its order: where each chunk stands, and how it was found.
import { useState, type ReactNode } from "react";
import { get } from "../../api/client";
import type { Citation, EventRecord, FoundPlace, List } from "../../api/types";
import { count, plural } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Badge } from "../../ui/controls";
import { PassageDrawer, type Place } from "../../ui/passage";
import { Note } from "../../ui/states";

interface Hit {
  chunk_id: string;
  dense_rank: number | null;
  lexical_rank: number | null;
  score: number;
}

const SHOWN = 10;

export function Hits({ trace, retrieval, cited }: { trace: string; retrieval: EventRecord; cited: Citation[] }): ReactNode {
  const [open, setOpen] = useState<Place>();
  const url = `/v1/traces/${encodeURIComponent(trace)}/found`;
  const places = useResource(url, (signal) => get<List<FoundPlace>>(url, signal));
  const known = new Map(places.data?.data.map((place) => [place.id, place]));
  // What only a graph quoted is among them without a chunk.
  const hits = ((retrieval.facts.hits as Hit[] | undefined) ?? []).filter((hit) => hit.chunk_id);
  const evidence = typeof retrieval.facts.evidence === "number" ? `, evidence ${retrieval.facts.evidence.toFixed(2)}` : "";
  return (
    <div className="card said-card">
      <Badge tone="warn">found</Badge>
      <p className="muted small">
        {plural(hits.length, "chunk was", "chunks were")} found{evidence}. The answer cites {plural(cited.length, "passage")}.
        {hits.length > SHOWN && ` The first ${SHOWN} are shown.`}
      </p>
      {places.error && <Note tone="warn">Their positions could not be read: {places.error.message}</Note>}
      <div className="scroll" tabIndex={0} role="group" aria-label="What was found">
        <table className="table compact">
          <thead><tr><th className="number">Place</th><th>Passage</th><th className="number">Dense</th><th className="number">Sparse</th><th className="number">Score</th></tr></thead>
          <tbody>
            {hits.slice(0, SHOWN).map((hit, index) => (
              <tr key={hit.chunk_id}>
                <td className="number">{index + 1}</td>
                <td className="found-place"><Passage id={hit.chunk_id} place={known.get(hit.chunk_id)} told={places.data !== undefined} onOpen={setOpen} /></td>
                <td className="number">{hit.dense_rank ? `#${hit.dense_rank}` : "–"}</td>
                <td className="number">{hit.lexical_rank ? `#${hit.lexical_rank}` : "–"}</td>
                <td className="number">{hit.score.toFixed(3)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {cited.length > 0 && (
        <ol className="sources" aria-label="Cited passages">
          {cited.map((citation) => (
            <li key={citation.index}>
              <button type="button" onClick={() => setOpen(citation)}>
                <span className="source-number">{count(citation.index)}</span>
                <span className="source-name">{citation.source}</span>
                <span className="muted">{citation.page ? `page ${citation.page}` : citation.heading.split(" > ").at(-1)}</span>
              </button>
            </li>
          ))}
        </ol>
      )}
      {open && <PassageDrawer citation={open} onClose={() => setOpen(undefined)} />}
    </div>
  );
}

interface PassageProps {
  id: string;
  place: FoundPlace | undefined;
  told: boolean;
  onOpen: (place: Place) => void;
}

// A chunk by the place where it stands; its id is for whoever looks it up in logs.
function Passage({ id, place, told, onOpen }: PassageProps): ReactNode {
  if (!place) {
    return <>{told && <span className="muted">No longer there, or not for this key</span>}<span className="chunk-id">{id}</span></>;
  }
  const { start, end } = place;
  const where = [place.page ? `page ${place.page}` : "", place.heading].filter(Boolean).join(" · ");
  return (
    <>
      {start === null || end === null ? (
        <><strong>{place.filename}</strong> <span className="muted">has changed since</span></>
      ) : (
        <>
          <button type="button" className="text-button" onClick={() => onOpen({ ...place, source: place.filename, start, end })}>{place.filename}</button>
          {where && <span className="muted"> {where}</span>}
          <span className="beginning">{words(place.beginning)}</span>
        </>
      )}
      <span className="chunk-id">{id}</span>
    </>
  );
}

// Without the marks of headings and tables, which say nothing in a line of text.
function words(text: string): string {
  return text.replace(/(?<=^|\s)(#{1,6}|\|)(?=\s|$)/g, "").replace(/\s+/g, " ").trim();
}
