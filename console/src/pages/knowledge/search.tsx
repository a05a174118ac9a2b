// The search debugger: what a query finds, and which place each half of the search and the reranker gave it.
import { useState, type FormEvent, type ReactNode } from "react";
import { ApiError, post } from "../../api/client";
import type { SearchHit, SearchPage, Store } from "../../api/types";
import { count, milliseconds } from "../../lib/format";
import { Button, Choice } from "../../ui/controls";
import { PassageDrawer } from "../../ui/passage";
import { Empty, Failed, Loading } from "../../ui/states";

type Mode = "hybrid" | "dense" | "sparse";

interface Result {
  page: SearchPage;
  // The order without the reranker, by chunk: what the reranker changed.
  fused: Map<string, number>;
  reranked: boolean;
  mode: Mode;
}

export function SearchDebugger({ store }: { store: Store }): ReactNode {
  const [query, setQuery] = useState("");
  const [mode, setMode] = useState<Mode>("hybrid");
  const [rerank, setRerank] = useState(true);
  const [k, setK] = useState(10);
  const [state, setState] = useState<Result | ApiError | "busy" | undefined>();
  const [open, setOpen] = useState<SearchHit>();

  const search = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (!query.trim()) return;
    setState("busy");
    const url = `/v1/vector_stores/${encodeURIComponent(store.id)}/search`;
    const ask = (options: Record<string, unknown>, most: number): Promise<SearchPage> =>
      post(url, { query: query.trim(), max_num_results: most, options: { mode, ...options } });
    try {
      const [page, plain] = await Promise.all([ask({ rerank }, k), ask({ rerank: false }, 50)]);
      const fused = new Map(plain.data.map((hit, index) => [hit.chunk_id, index + 1]));
      // By words alone, the reranker is not asked.
      setState({ page, fused, reranked: rerank && mode !== "sparse", mode });
    } catch (error) {
      setState(error as ApiError);
    }
  };
  return (
    <section className="stack" aria-label="Search debugger">
      <form className="card search-form" onSubmit={(event) => void search(event)}>
        <div className="search-row">
          <input aria-label="Query" placeholder="What should be found?" autoFocus value={query} maxLength={8000} onChange={(event) => setQuery(event.target.value)} />
          <Button kind="primary" type="submit" icon="search" disabled={!query.trim() || state === "busy"}>Search</Button>
        </div>
        <div className="filters">
          <Choice label="Search by" value={mode} onChange={setMode} options={[{ value: "hybrid", label: "Meaning and words" }, { value: "dense", label: "Meaning" }, { value: "sparse", label: "Words" }]} />
          <label className="check">
            <input type="checkbox" checked={rerank && mode !== "sparse"} disabled={mode === "sparse"} onChange={(event) => setRerank(event.target.checked)} />
            <span>Rerank the best</span>
          </label>
          <label className="inline">
            Show
            <select value={k} onChange={(event) => setK(Number(event.target.value))}>{[5, 10, 20, 50].map((each) => <option key={each}>{each}</option>)}</select>
          </label>
        </div>
      </form>
      {state === undefined ? (
        <Empty icon="search" title="See why something is found">Each hit shows its dense, sparse, fused and reranked rank.</Empty>
      ) : state === "busy" ? (
        <Loading what="Searching" />
      ) : state instanceof ApiError ? (
        <Failed error={state} />
      ) : (
        <Found result={state} onOpen={setOpen} />
      )}
      {open && (
        <PassageDrawer
          citation={{ ...open, source: open.filename, vector_store_id: store.id, document_id: open.file_id }}
          onClose={() => setOpen(undefined)}
        />
      )}
    </section>
  );
}

function Found({ result, onOpen }: { result: Result; onOpen: (hit: SearchHit) => void }): ReactNode {
  const { page } = result;
  if (page.data.length === 0) return <Empty icon="search" title="Nothing was found">Try other words, or search by meaning.</Empty>;
  return (
    <>
      <div className="steps muted small">
        {page.steps.map((step, index) => <span key={index}>{step.name} {milliseconds(step.milliseconds)}{step.note ? ` (${step.note})` : ""}</span>)}
      </div>
      <ol className="stack">
        {page.data.map((hit, index) => (
          <li key={hit.chunk_id} className="card hit">
            <span className="hit-rank">{index + 1}</span>
            <div>
              <div className="row">
                <strong>{hit.filename}</strong>
                <span className="muted small">{[hit.page ? `page ${hit.page}` : "", hit.heading].filter(Boolean).join(" · ")}</span>
              </div>
              <p className="hit-text"><Snippet hit={hit} /></p>
              <Button kind="quiet" onClick={() => onOpen(hit)}>In the document</Button>
            </div>
            <Ranks hit={hit} at={index + 1} result={result} />
          </li>
        ))}
      </ol>
    </>
  );
}

function Ranks({ hit, at, result }: { hit: SearchHit; at: number; result: Result }): ReactNode {
  const { dense, lexical, rerank_score } = hit.ranking;
  const fused = result.fused.get(hit.chunk_id);
  const rows: [string, string, string][] = [];
  if (result.mode !== "sparse") rows.push(["Dense (meaning)", place(dense.rank), dense.score.toFixed(3)]);
  if (result.mode !== "dense") rows.push(["Sparse (words)", place(lexical.rank), lexical.score === null ? "not found" : lexical.score.toFixed(2)]);
  rows.push(["Fused", place(fused ?? null), result.reranked ? "" : hit.score.toFixed(3)]);
  if (result.reranked) rows.push(["Reranked", place(at), rerank_score === null ? "not read" : rerank_score.toFixed(3)]);
  return (
    <table className="ranks" aria-label={`Places of hit ${at}`}>
      <tbody>
        {rows.map(([name, rank, score]) => <tr key={name}><th scope="row">{name}</th><td>{rank}</td><td className="muted">{score}</td></tr>)}
      </tbody>
    </table>
  );
}

function place(rank: number | null): string {
  return rank === null || rank <= 0 ? "–" : `#${count(rank)}`;
}

// The server counts characters; of text outside the basic plane this language has two for one.
function Snippet({ hit }: { hit: SearchHit }): ReactNode {
  const text = hit.snippet?.text ?? hit.content[0]?.text ?? "";
  const signs = [...text];
  const found: ReactNode[] = [];
  let from = 0;
  for (const { start, end } of hit.snippet?.highlights ?? []) {
    found.push(signs.slice(from, start).join(""), <mark key={start}>{signs.slice(start, end).join("")}</mark>);
    from = end;
  }
  found.push(signs.slice(from).join(""));
  return <>{found}</>;
}
