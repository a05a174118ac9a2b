// What lies in which zone, and how much came each day.
import type { ReactNode } from "react";
import { get } from "../../api/client";
import type { LakeSummary } from "../../api/lake";
import { bytes, count, moment } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Stacked } from "../../ui/chart";
import { Badge, IconButton } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";

const ZONES = [
  ["raw", "the facts of all events"],
  ["clean", "answers with everything recorded about them"],
  ["ready", "rows that are ready for training"],
  ["dropped", "rows that steps removed, with the reason"],
] as const;

export function ZonesView(): ReactNode {
  const found = useResource("lake summary", (signal) => get<LakeSummary>("/v1/lake/summary", signal));
  return (
    <section className="stack" aria-label="Zones">
      <div className="section-head">
        <span className="row">{found.data && <><Waiting of={found.data} /><Aside of={found.data} /></>}</span>
        <IconButton icon="refresh" label="Refresh" onClick={found.reload} disabled={found.loading} />
      </div>
      <Loaded of={found} what="Looking at the files">{(summary) => <Zones summary={summary} />}</Loaded>
    </section>
  );
}

function Waiting({ of }: { of: LakeSummary }): ReactNode {
  if (of.waiting_since === null) return <Badge tone="good">up to date</Badge>;
  return <Badge tone="warn">{`events wait since ${moment(of.waiting_since)}`}</Badge>;
}

function Aside({ of }: { of: LakeSummary }): ReactNode {
  if (of.set_aside.count === 0) return null;
  const latest = of.set_aside.latest.map((each) => `${each.what} ${each.id}: ${each.error}`).join("\n");
  return <span title={latest}><Badge tone="bad">{`${count(of.set_aside.count)} set aside`}</Badge></span>;
}

function Zones({ summary }: { summary: LakeSummary }): ReactNode {
  if (!summary.zones.raw) return <Empty icon="lake" title="The lake is empty">Events enter with each build, or within seconds if lake.mode is stream.</Empty>;
  return (
    <>
      <section className="card stack" aria-label="Interactions by day">
        <h2>Interactions by day</h2>
        <Stacked
          label="Interactions by day"
          series={[{ name: "count", title: "interactions", tone: "accent" }]}
          slots={summary.days.map((day) => ({ name: day.date.slice(5), counts: new Map([["count", day.interactions]]) }))}
        />
      </section>
      <div className="scroll" tabIndex={0} role="group" aria-label="Zones">
        <table className="table">
          <thead><tr><th>Zone</th><th>Content</th><th className="number">Files</th><th className="number">Rows</th><th className="number">Size</th></tr></thead>
          <tbody>
            {ZONES.map(([name, about]) => {
              const zone = summary.zones[name];
              return (
                <tr key={name}>
                  <td>{name}</td>
                  <td className="muted wide">{about}</td>
                  <td className="number">{count(zone?.files ?? 0)}</td>
                  <td className="number">{count(zone?.rows ?? 0)}</td>
                  <td className="number">{bytes(zone?.bytes ?? 0)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </>
  );
}
