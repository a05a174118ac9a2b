// What helps to answer: a summary, suggested answers with their sources, facts, and passages of knowledge.
import { type ReactNode } from "react";
import { ApiError, may } from "../../api/client";
import { act, type CaseView, type Suggestion } from "../../api/desk";
import { Link, path } from "../../lib/route";
import { useMe } from "../../session";
import { Button, IconButton } from "../../ui/controls";
import { toast } from "../../ui/toast";
import { open } from "./case";

const SOURCES: Record<Suggestion["source"], string> = { knowledge: "From knowledge", tools: "From the results of tools", greeting: "Greeting" };

export function Assist({ of, onUse }: { of: CaseView; onUse: (chosen: Suggestion) => void }): ReactNode {
  const me = useMe();
  const made = of.assist;
  const suggestions = open(of);
  return (
    <aside className="assist" aria-label="Agent Assist">
      <h2>Agent Assist</h2>
      {made === null ? (
        of.status === "closed" ? <p className="muted small">The case was closed before anything was prepared.</p> : <p className="row muted" role="status"><span className="spinner" aria-hidden="true" />Reading the conversation …</p>
      ) : (
        <>
          <section aria-label="Summary">
            <h3>Summary</h3>
            <p className="summary">{made.summary}</p>
            {made.preparing && of.status !== "closed" && <p className="row muted small" role="status"><span className="spinner" aria-hidden="true" />Looking for more …</p>}
            <p className="muted small">{made.method === "extractive" ? "Sentences of the conversation" : `Written by ${made.method}`}</p>
          </section>
          {suggestions.length > 0 && of.status !== "closed" && (
            <section aria-label="Suggested answers">
              <h3>Suggested answers</h3>
              <ol className="suggestions">
                {suggestions.map((each, index) => <One key={each.id} of={each} number={index + 1} onUse={() => onUse(each)} onReject={() => reject(of.number, each.id)} />)}
              </ol>
            </section>
          )}
          {made.facts.length > 0 && (
            <section aria-label="Facts">
              <h3>What is known</h3>
              <dl className="pairs">{made.facts.map((each, index) => <div key={index}><dt title={each.from}>{each.name}</dt><dd>{each.value}</dd></div>)}</dl>
            </section>
          )}
          {made.hints.length > 0 && (
            <section aria-label="Knowledge">
              <h3>Knowledge</h3>
              <ul className="hints">
                {made.hints.map((each, index) => (
                  <li key={index}>
                    <p className="small"><strong>{each.heading || each.source}</strong> <span className="muted">{each.source}</span></p>
                    <p className="small">{each.text}</p>
                  </li>
                ))}
              </ul>
            </section>
          )}
        </>
      )}
      {of.run_id && may(me, "chat") && <p className="small"><Link to={path("runs", of.run_id)}>What {of.agent ?? "the agent"} did</Link></p>}
    </aside>
  );
}

function One({ of, number, onUse, onReject }: { of: Suggestion; number: number; onUse: () => void; onReject: () => void }): ReactNode {
  return (
    <li>
      <p className="words">{of.text}</p>
      {of.citations.length > 0 && (
        <details>
          <summary className="small">{SOURCES[of.source]}: {[...new Set(of.citations.map((each) => each.source))].join(", ")}</summary>
          {of.citations.map((each) => <blockquote key={each.number} className="small">{each.text}</blockquote>)}
        </details>
      )}
      {of.citations.length === 0 && <p className="muted small">{SOURCES[of.source]}</p>}
      <div className="row">
        <Button onClick={onUse}>Use <kbd className="wide-only">{number}</kbd></Button>
        <IconButton icon="close" label="Not wanted" onClick={onReject} />
      </div>
    </li>
  );
}

function reject(number: string, suggestion: string): void {
  act(number, `suggestions/${encodeURIComponent(suggestion)}/reject`).catch((error: unknown) => toast(error instanceof ApiError ? error.message : "This did not work"));
}
