// Answers side by side: all in order, or the examples that a responder lost or won by most.
import { useState, type ReactNode } from "react";
import { get } from "../../api/client";
import { question, type Comparison, type Piece, type Place, type Places } from "../../api/datasets";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { Button } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";

const SHOWN = 10;

export function Answers({ id, scorer, comparisons }: { id: string; scorer: string; comparisons: Comparison[] }): ReactNode {
  const [which, setWhich] = useState("all");
  const [after, setAfter] = useState(0);
  const views = comparisons.flatMap((each) => [
    { name: `lost ${each.responder}`, label: `${each.responder} lost most`, places: each.worst ?? [] },
    { name: `won ${each.responder}`, label: `${each.responder} won most`, places: each.best ?? [] },
  ]);
  const wanted = views.find((each) => each.name === which)?.places.slice(after, after + SHOWN);
  const asked = new URLSearchParams(wanted ? { places: wanted.join(",") || "0" } : { limit: String(SHOWN), after: String(after) });
  const url = `/v1/experiments/${encodeURIComponent(id)}/results?${asked}`;
  const places = useResource(url, (signal) => get<Places>(url, signal));
  const all = views.find((each) => each.name === which)?.places.length ?? 0;
  return (
    <section className="stack" aria-label="Answers">
      <div className="section-head">
        <h2>Answers</h2>
        <label className="inline">
          Show{" "}
          <select value={which} onChange={(event) => { setWhich(event.target.value); setAfter(0); }}>
            <option value="all">all, in order</option>
            {views.map((each) => <option key={each.name} value={each.name}>{each.label}</option>)}
          </select>
        </label>
      </div>
      <Loaded of={places} what="Reading the answers">
        {(found) => {
          const order = (each: Place): number => (wanted ? wanted.indexOf(each.place) : each.place);
          const next = wanted ? (after + SHOWN < all ? after + SHOWN : null) : found.next;
          return found.data.length === 0 ? (
            <Empty icon="columns" title="There are no such answers">There are no answers yet, or no responder lost or won.</Empty>
          ) : (
            <>
              <ul className="stack">{[...found.data].sort((one, other) => order(one) - order(other)).map((each) => <Side key={each.place} of={each} scorer={scorer} />)}</ul>
              <div className="row">
                {after > 0 && <Button onClick={() => setAfter(0)}>First</Button>}
                {next !== null && <Button onClick={() => setAfter(next)}>More</Button>}
              </div>
            </>
          );
        }}
      </Loaded>
    </section>
  );
}

function Side({ of, scorer }: { of: Place; scorer: string }): ReactNode {
  return (
    <li className="card stack">
      <p><strong>{question(of.example) || "The example is gone"}</strong></p>
      {of.example && of.example.references.length > 0 && <p className="muted small">{`Right: ${of.example.references.join(" / ")}`}</p>}
      <div className="side-by-side">
        {of.answers.map((each) => {
          const score = each.scores[scorer];
          return (
            <div key={each.responder} className="stack">
              <p className="between small">
                <span className="muted">{each.responder}</span>
                <span>{score === null || score === undefined ? "–" : score.toFixed(3)} {each.trace_id && <Link to={path("traces", each.trace_id)}>trace</Link>}</span>
              </p>
              <p className="replay-text">{each.error ?? (each.diff ? <Words pieces={each.diff} /> : each.text)}</p>
              {each.reasons[scorer] && !each.error && <p className="muted small">{each.reasons[scorer]}</p>}
            </div>
          );
        })}
      </div>
    </li>
  );
}

function Words({ pieces }: { pieces: Piece[] }): ReactNode {
  return <>{pieces.map((each, place) => (each.kind === "same" ? <span key={place}>{each.text}</span> : each.kind === "added" ? <ins key={place}>{each.text}</ins> : <del key={place}>{each.text}</del>))}</>;
}
