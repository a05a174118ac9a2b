// From an answer to the feedback behind what gave it, and from feedback to the answers that came of it.
import { useState, type FormEvent, type ReactNode } from "react";
import { get } from "../../api/client";
import type { AnswerLineage, MadeVariant, Said } from "../../api/improve";
import { count, moment, plural } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { go, Link, path, usePlace } from "../../lib/route";
import { Badge, Button, Field } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";
import { lineageOf } from "./made";

export function LineageView(): ReactNode {
  const of = usePlace().query.get("of") ?? "";
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <p className="small"><Link to={path("improve")}>Loop</Link></p>
          <h1>Lineage</h1>
          <p className="muted">From an answer to the feedback that its variant was made from, and from feedback to the answers that came of it.</p>
        </div>
      </header>
      <Lookup key={of} of={of} />
      {of ? <Found key={`found ${of}`} of={of} /> : <Empty icon="again" title="Find an answer, feedback or a variant">A trace leads here, and so do the candidates of the loop.</Empty>}
    </div>
  );
}

function Lookup({ of }: { of: string }): ReactNode {
  const [typed, setTyped] = useState(of);
  const look = (event: FormEvent): void => {
    event.preventDefault();
    go(lineageOf(typed.trim()));
  };
  return (
    <form className="filters" onSubmit={look}>
      <Field label="Answer, feedback or variant">{(field) => <input {...field} value={typed} maxLength={256} onChange={(event) => setTyped(event.target.value)} placeholder="ans_..., evt_..., cand_... or NAME@1" />}</Field>
      <Button icon="search" type="submit" disabled={!typed.trim()}>Look up</Button>
    </form>
  );
}

function Found({ of }: { of: string }): ReactNode {
  const kind = of.startsWith("ans_") ? "answers" : of.startsWith("evt_") ? "feedback" : "variants";
  const url = `/v1/improve/lineage/${kind}/${encodeURIComponent(of)}`;
  const found = useResource(url, (signal) => get<AnswerLineage | MadeVariant>(url, signal));
  return <Loaded of={found} what="Looking it up">{(it) => ("answer_id" in it ? <OfAnswer of={it} /> : <Variant of={it} title={it.version ?? it.id} />)}</Loaded>;
}

function OfAnswer({ of }: { of: AnswerLineage }): ReactNode {
  return (
    <>
      <section className="stack" aria-label="Answer">
        <h2>The answer</h2>
        <dl className="pairs columns card">
          <div><dt>Answer</dt><dd className="mono breaking"><Link to={path("traces", of.trace_id)}>{of.answer_id}</Link></dd></div>
          <div><dt>Application</dt><dd className="breaking">{of.application ?? "none with a policy"}</dd></div>
          <div><dt>People said</dt><dd><Opinions of={of.feedback} /></dd></div>
        </dl>
      </section>
      {of.given_by ? <Variant of={of.given_by} title={`Given by ${of.given_by.version ?? of.given_by.id}`} /> : <p>It was given by what the settings say: nothing was promoted at that time.</p>}
      {of.made_into.map((each) => <Variant key={each.id} of={each} title={`Made into ${each.version ?? each.id}`} />)}
      {of.made_into.length === 0 && <p className="muted">Nothing was made from this answer.</p>}
    </>
  );
}

function Variant({ of, title }: { of: MadeVariant; title: string }): ReactNode {
  return (
    <section className="stack" aria-label={title}>
      <h2 className="breaking">{title}</h2>
      <dl className="pairs columns card">
        <div><dt>Variant</dt><dd className="breaking">{`${of.kind} of ${of.application}`}</dd></div>
        {of.version && <div><dt>Version</dt><dd><Link to={path("train", "models", of.version)} className="breaking">{of.version}</Link></dd></div>}
        <div><dt>Campaign</dt><dd><Link to={path("improve", of.campaign)} className="mono breaking">{of.campaign}</Link></dd></div>
        {of.export && <div><dt>Export</dt><dd><Link to={path("exports", of.export)} className="mono breaking">{of.export}</Link></dd></div>}
        {of.dataset && <div><dt>Data set</dt><dd className="breaking">{of.dataset}</dd></div>}
        <div><dt>Promoted</dt><dd>{of.promoted_at === null ? "never" : moment(of.promoted_at)}</dd></div>
        {of.withdrawn_at !== null && <div><dt>Withdrawn</dt><dd>{`${moment(of.withdrawn_at)}${of.reason ? `: ${of.reason}` : ""}`}</dd></div>}
        <div><dt>Answers that it gave</dt><dd>{count(of.answers.total)}{of.answers.data.slice(0, 5).map((id) => <span key={id}> <Link to={lineageOf(id)} className="mono breaking">{id}</Link></span>)}</dd></div>
      </dl>
      {of.sources && of.sources.data.length > 0 && <Sources of={of} />}
    </section>
  );
}

function Sources({ of }: { of: MadeVariant }): ReactNode {
  const { total, data } = of.sources!;
  const rows = new Map<string, string[]>();
  for (const each of of.rows ?? []) for (const answer of each.answers) rows.set(answer, [...(rows.get(answer) ?? []), `${each.split} ${each.line}`]);
  return (
    <>
      <p>{`Made from ${plural(total, "answer")}${data.length < total ? `; ${count(data.length)} are shown` : ""}.`}</p>
      <div className="scroll" tabIndex={0} role="group" aria-label="What it was made from">
        <table className="table compact">
          <thead><tr><th>Answer</th><th>People said</th><th>Rows</th><th>Trace</th></tr></thead>
          <tbody>
            {data.map((each) => (
              <tr key={each.answer_id}>
                <td><Link to={lineageOf(each.answer_id)} className="mono breaking">{each.answer_id}</Link></td>
                <td><Opinions of={each.feedback} /></td>
                <td className="small">{rows.get(each.answer_id)?.join(", ") ?? "–"}</td>
                <td><Link to={path("traces", each.trace_id)} className="mono">{each.trace_id.slice(0, 8)}</Link></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function Opinions({ of }: { of: Said[] }): ReactNode {
  if (of.length === 0) return <>–</>;
  return <>{of.map((each) => <span key={each.id}><Badge tone={each.rating === "up" ? "good" : each.rating === "down" ? "bad" : "plain"}>{[each.rating, each.edited && "edited"].filter(Boolean).join(", ") || "said"}</Badge> </span>)}</>;
}
