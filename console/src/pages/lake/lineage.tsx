// From a trace, or an answer, to the rows that it became, and to the exports and data sets that have them.
import { useState, type FormEvent, type ReactNode } from "react";
import { get } from "../../api/client";
import type { Lineage, LineageExample, LineageExport } from "../../api/lake";
import { count, moment, plural } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { go, Link, path, usePlace } from "../../lib/route";
import { Badge, Button, Field } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";
import { Status } from "../exports/status";

export function LineageView(): ReactNode {
  const { query } = usePlace();
  const of = query.get("of") ?? "";
  const [typed, setTyped] = useState(of);
  const look = (event: FormEvent): void => {
    event.preventDefault();
    go(`${path("lake", "lineage")}?of=${encodeURIComponent(typed.trim())}`);
  };
  return (
    <section className="stack" aria-label="Lineage">
      <form className="filters" onSubmit={look}>
        <Field label="Trace or answer">{(field) => <input {...field} value={typed} maxLength={128} onChange={(event) => setTyped(event.target.value)} placeholder="ans_... or a trace id" />}</Field>
        <Button icon="search" type="submit" disabled={!typed.trim()}>Look up</Button>
      </form>
      {of ? <Found key={of} of={of} /> : <Empty icon="lake" title="Find a trace or an answer">An answer&apos;s id, or a trace&apos;s, leads to its events, its interaction, and the builds that used or dropped it.</Empty>}
    </section>
  );
}

function Found({ of }: { of: string }): ReactNode {
  const url = `/v1/lake/lineage?${of.startsWith("ans_") ? "answer_id" : "trace_id"}=${encodeURIComponent(of)}`;
  const found = useResource(url, (signal) => get<Lineage>(url, signal));
  return (
    <Loaded of={found} what="Looking it up">
      {(lineage) => {
        const rows = [
          ...lineage.raw.map((each) => ({ zone: "raw", name: each.id, at: each.at, told: each.kind, tone: undefined })),
          ...lineage.clean.map((each) => ({ zone: "clean", name: each.answer_id, at: each.at, told: `made of ${each.event_ids.length} events`, tone: undefined })),
          ...lineage.ready.map((each) => ({ zone: "ready", name: each.answer_id, at: each.at, told: `build ${each.build}`, tone: "good" as const })),
          ...lineage.dropped.map((each) => ({ zone: "dropped", name: each.answer_id, at: each.at, told: `${each.step}: ${each.reason} (build ${each.build})`, tone: "warn" as const })),
        ];
        const made = (lineage.exports?.length ?? 0) + (lineage.datasets?.length ?? 0);
        if (rows.length + made === 0) return <Empty icon="lake" title="Nothing in the lake">It has not been imported yet, or was erased.</Empty>;
        return (
          <>
            <p>Trace <Link to={path("traces", lineage.trace_id)} className="mono">{lineage.trace_id}</Link></p>
            {rows.length > 0 && <div className="scroll" tabIndex={0} role="group" aria-label="Rows">
              <table className="table">
                <thead><tr><th>Zone</th><th>Row</th><th>What</th><th>Time</th></tr></thead>
                <tbody>
                  {rows.map((row) => (
                    <tr key={`${row.zone} ${row.name} ${row.told}`}>
                      <td><Badge tone={row.tone}>{row.zone}</Badge></td>
                      <td className="mono">{row.name}</td>
                      <td>{row.told}</td>
                      <td className="nowrap">{moment(row.at)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>}
            {lineage.exports && lineage.exports.length > 0 && <Exports found={lineage.exports} />}
            {lineage.datasets && lineage.datasets.length > 0 && <Examples found={lineage.datasets} />}
            {lineage.datasets === null && <p className="muted small">Data sets that have it are shown to keys with the scope <code>datasets</code>.</p>}
          </>
        );
      }}
    </Loaded>
  );
}

function Exports({ found }: { found: LineageExport[] }): ReactNode {
  return (
    <section className="stack" aria-label="Exports">
      <h2>{plural(found.length, "export has", "exports have")} its rows</h2>
      <div className="scroll" tabIndex={0} role="group" aria-label="Exports with its rows">
        <table className="table">
          <thead><tr><th>Export</th><th>State</th><th>Kind</th><th>Format</th><th className="number">Answers of this trace</th><th className="number">Rows in all</th><th>Made</th></tr></thead>
          <tbody>
            {found.map((each) => (
              <tr key={each.id}>
                <td><Link to={path("exports", each.id)}>{each.name || each.id}</Link></td>
                <td><Status status={each.status} /></td>
                <td>{each.kind}</td>
                <td>{each.format}</td>
                <td className="number">{count(each.answers.length)}</td>
                <td className="number">{count(each.rows)}</td>
                <td className="nowrap">{moment(each.created_at)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Examples({ found }: { found: LineageExample[] }): ReactNode {
  return (
    <section className="stack" aria-label="Data sets">
      <h2>{plural(found.length, "example was", "examples were")} made of it</h2>
      <div className="scroll" tabIndex={0} role="group" aria-label="Examples made of it">
        <table className="table">
          <thead><tr><th>Data set</th><th>Example</th><th>Part</th><th>Versions</th></tr></thead>
          <tbody>
            {found.map((each) => (
              <tr key={`${each.name} ${each.example}`}>
                <td><Link to={`${path("datasets", each.name)}?version=${each.version}`}>{`${each.name}@${each.version}`}</Link></td>
                <td className="mono">{each.example}</td>
                <td><Badge>{each.split || "–"}</Badge></td>
                <td>{each.since === each.version ? each.version : `${each.since} to ${each.version}`}{!each.current && <> <Badge tone="warn">not in the newest</Badge></>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
