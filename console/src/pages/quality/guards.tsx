// What guards decided: over time, by guard, by kind, and the latest decisions with their traces.
import { useMemo, useState, type ReactNode } from "react";
import type { EventRecord } from "../../api/types";
import { recorded, slots, sums, type Recorded } from "../../lib/events";
import { count, moment, plural } from "../../lib/format";
import { cutOf, PERIODS, slotName, type Period } from "../../lib/period";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { Shares, Stacked, type Series } from "../../ui/chart";
import { Badge, Choice, IconButton } from "../../ui/controls";
import { Empty, Loaded, Note } from "../../ui/states";

export interface Decision {
  at: number;
  trace: string | null;
  guard: string;
  action: string;
  kind: string;
  stage: string;
  role: string;
  policy: string;
  count: number;
  score: number | null;
  dryRun: boolean;
}

export function decision(event: EventRecord): Decision {
  const text = (name: string): string => (typeof event.facts[name] === "string" ? (event.facts[name] as string) : "");
  return {
    at: event.created_at,
    trace: event.trace_id,
    guard: text("guard"),
    action: text("action"),
    kind: text("kind"),
    stage: text("stage"),
    role: text("role"),
    policy: text("policy"),
    count: typeof event.facts.count === "number" ? event.facts.count : 1,
    score: typeof event.facts.score === "number" ? event.facts.score : null,
    dryRun: event.facts.dry_run === true,
  };
}

const words = (name: string): string => name.replaceAll("_", " ");
const TONES: Record<string, "bad" | "warn" | "accent" | "plain"> = { refuse: "bad", drop: "bad", redact: "warn", flag: "accent" };
const SERIES: Series[] = [
  { name: "refuse", title: "refused", tone: "bad" },
  { name: "drop", title: "dropped", tone: "drop" },
  { name: "redact", title: "redacted", tone: "warn" },
  { name: "flag", title: "flagged", tone: "accent" },
];

export function GuardsView(): ReactNode {
  const [period, setPeriod] = useState<Period>("24h");
  const now = useMemo(() => Date.now() / 1000, [period]);
  const cut = cutOf(period, now);
  const found = useResource(`guards ${cut.since}`, (signal) => recorded("guard", cut.since, signal));
  return (
    <section className="stack" aria-label="Guards">
      <div className="section-head">
        <Choice label="Period" value={period} onChange={setPeriod} options={PERIODS} />
        <IconButton icon="refresh" label="Refresh" onClick={found.reload} disabled={found.loading} />
      </div>
      <Loaded of={found} what="Reading the decisions of guards">
        {(read) => <Decisions read={read} cut={cut} />}
      </Loaded>
    </section>
  );
}

function Decisions({ read, cut }: { read: Recorded; cut: ReturnType<typeof cutOf> }): ReactNode {
  const [wanted, setWanted] = useState("");
  const all = useMemo(() => read.events.map(decision), [read]);
  if (all.length === 0) {
    return <Empty icon="shield" title="There were no findings">Guards check every request and answer. Their findings in this period appear here.</Empty>;
  }
  const shown = wanted ? all.filter((each) => each.guard === wanted) : all;
  const total = (action: string): number => shown.reduce((sum, each) => sum + (each.action === action && !each.dryRun ? each.count : 0), 0);
  const requests = new Set(shown.map((each) => each.trace)).size;
  const dry = shown.filter((each) => each.dryRun).length;
  const chart = slots(shown, cut, (each) => each.at, (each) => [each.action, each.count]);
  const known = new Set(SERIES.map((each) => each.name));
  const others = [...new Set(shown.map((each) => each.action))].filter((name) => !known.has(name));
  const series = [...SERIES, ...others.map((name) => ({ name, title: words(name), tone: "plain" as const }))];
  return (
    <>
      {read.cut && <Note tone="warn">Only the latest {count(all.length)} decisions of this period are counted here.</Note>}
      <dl className="figures large">
        <div><dt>Refused or dropped</dt><dd>{count(total("refuse") + total("drop"))}<small>findings that stopped a text</small></dd></div>
        <div><dt>Redacted</dt><dd>{count(total("redact"))}<small>findings taken out of texts</small></dd></div>
        <div><dt>Flagged</dt><dd>{count(total("flag"))}<small>findings that were only noted</small></dd></div>
        <div><dt>Requests concerned</dt><dd>{count(requests)}<small>{dry > 0 ? `${plural(dry, "decision")} in dry runs` : "no dry runs"}</small></dd></div>
      </dl>
      <section className="card stack" aria-label="Findings over time">
        <div className="section-head">
          <h2>Findings over time</h2>
          <label className="inline">
            <span className="hidden">Guard</span>
            <select aria-label="Guard" value={wanted} onChange={(event) => setWanted(event.target.value)}>
              <option value="">All guards</option>
              {sums(all, (each) => [each.guard, 1]).map(([name]) => <option key={name} value={name}>{words(name)}</option>)}
            </select>
          </label>
        </div>
        <Stacked label="Findings over time" slots={chart.map((slot) => ({ name: slotName(slot.at, cut.width), counts: slot.counts }))} series={series} />
      </section>
      <div className="two">
        <Shares title="By guard" rows={sums(shown, (each) => [words(each.guard), each.count])} />
        <Shares title="By kind" rows={sums(shown, (each) => [words(each.kind), each.count])} />
      </div>
      <Latest rows={shown} />
    </>
  );
}

function Latest({ rows }: { rows: Decision[] }): ReactNode {
  const [many, setMany] = useState(20);
  return (
    <section className="stack" aria-label="Latest decisions">
      <h2>Latest decisions</h2>
      <div className="scroll" tabIndex={0} role="group" aria-label="Latest decisions">
        <table className="table">
          <thead><tr><th>Time</th><th>Guard</th><th>Kind</th><th>Action</th><th>Where</th><th className="number">Findings</th><th className="number">Score</th><th>Policy</th><th>Trace</th></tr></thead>
          <tbody>
            {rows.slice(0, many).map((each, index) => (
              <tr key={index}>
                <td className="nowrap">{moment(each.at)}</td>
                <td className="nowrap">{words(each.guard)}</td>
                <td className="nowrap">{words(each.kind)}</td>
                <td><Badge tone={TONES[each.action] ?? "plain"}>{each.action}{each.dryRun ? ", dry run" : ""}</Badge></td>
                <td className="nowrap">{[each.stage, each.role].filter(Boolean).join(" · ")}</td>
                <td className="number">{count(each.count)}</td>
                <td className="number">{each.score === null ? "–" : each.score.toFixed(2)}</td>
                <td className="nowrap mono">{each.policy || "–"}</td>
                <td>{each.trace ? <Link to={path("traces", each.trace)}>Open</Link> : "–"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.length > many && <div className="row centre"><button type="button" className="button plain" onClick={() => setMany(many + 50)}>More decisions</button></div>}
    </section>
  );
}
