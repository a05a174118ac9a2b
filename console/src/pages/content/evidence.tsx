// Numbers of sources behind a sentence; a click opens the passage in its document.
import { useState, type ReactNode } from "react";
import type { Evidence, Source } from "../../api/content";
import { PassageDrawer } from "../../ui/passage";

interface Cited {
  sources: Source[];
  evidence: Evidence[];
}

export function Marks({ of, numbers }: { of: Cited; numbers: number[] }): ReactNode {
  const [open, setOpen] = useState<Evidence>();
  const source = open && of.sources[open.source - 1];
  return (
    <>
      {numbers.map((at) => {
        const each = of.evidence[at]!;
        const from = of.sources[each.source - 1]!;
        return from.kind === "web" ? (
          <a key={at} className="cite" href={from.url} target="_blank" rel="noreferrer noopener" title={each.quote}>{each.source}</a>
        ) : (
          <button key={at} type="button" className="cite" title={each.quote} aria-label={`Source ${each.source}: ${from.title}`} onClick={() => setOpen(each)}>{each.source}</button>
        );
      })}
      {open && source && (
        <PassageDrawer
          citation={{ source: source.title, page: open.page, heading: open.heading, start: open.start, end: open.end, vector_store_id: source.collection_id, file_id: source.file_id, document_id: source.id, quote: open.quote }}
          onClose={() => setOpen(undefined)}
        />
      )}
    </>
  );
}

export function Sources({ of, quotes = false }: { of: Cited; quotes?: boolean }): ReactNode {
  return (
    <section className="stack" aria-label="Sources">
      <h2>Sources</h2>
      <ol className="plain-list">
        {of.sources.map((each, at) => (
          <li key={each.id} className="breaking">
            <span className="muted">{at + 1}.</span> {each.kind === "web" ? <a href={each.url} target="_blank" rel="noreferrer noopener">{each.title}</a> : each.title}
            {each.collection && <span className="muted"> ({each.collection})</span>}
            {quotes && <ul className="quotes muted small">{of.evidence.filter((one) => one.source === at + 1).map((one) => <li key={one.start}>“{one.quote}”</li>)}</ul>}
          </li>
        ))}
      </ol>
    </section>
  );
}
