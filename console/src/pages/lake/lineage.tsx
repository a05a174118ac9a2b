// From a trace, or an answer, to the rows that it became; each row leads back to its trace.
import { useState, type FormEvent, type ReactNode } from "react";
import { get } from "../../api/client";
import type { Lineage } from "../../api/lake";
import { moment } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { go, Link, path, usePlace } from "../../lib/route";
import { Badge, Button, Field } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";

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
        if (rows.length === 0) return <Empty icon="lake" title="Nothing in the lake">It has not been imported yet, or was erased.</Empty>;
        return (
          <>
            <p>Trace <Link to={path("traces", lineage.trace_id)} className="mono">{lineage.trace_id}</Link></p>
            <div className="scroll" tabIndex={0} role="group" aria-label="Rows">
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
            </div>
          </>
        );
      }}
    </Loaded>
  );
}
