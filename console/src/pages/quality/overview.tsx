// Outcomes and quality over time, of all applications or one: how requests ended, and what share of answers was wanting.
import { useMemo, useState, type ReactNode } from "react";
import { get } from "../../api/client";
import type { Counted, QualityReport, Scored } from "../../api/monitor";
import { count, percent, plural, share } from "../../lib/format";
import { FOUND_AT_ONCE, measure, score } from "../../lib/measures";
import { cutOf, PERIODS, slotName, type Period } from "../../lib/period";
import { useResource } from "../../lib/resource";
import { Line, Shares, Stacked, type Series } from "../../ui/chart";
import { Choice, IconButton } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";
import { Examples } from "./alerts";

const SERIES: Series[] = [
  { name: "answered", title: "answered", tone: "good" },
  { name: "not_in_documents", title: "not in the documents", tone: "accent" },
  { name: "refused", title: "refused", tone: "warn" },
  { name: "cancelled", title: "given up", tone: "plain" },
  { name: "failed", title: "failed", tone: "bad" },
];

const EXAMPLES: [string, string][] = [
  ["failed", "Failed"],
  ["unanswered", "Refused for lack of support"],
  ["guard_refused", "Refused by a guard"],
  ["leaks", "Leaks that were stopped"],
  ["down", "Thumbs down"],
  ["edited", "Edited by people"],
];

export function OverviewView(): ReactNode {
  const [period, setPeriod] = useState<Period>("24h");
  const [application, setApplication] = useState("");
  const now = useMemo(() => Date.now() / 1000, [period]);
  const cut = cutOf(period, now);
  const url = `/v1/quality?since=${cut.since}&step=${cut.width}${application ? `&application=${encodeURIComponent(application)}` : ""}`;
  const found = useResource(url, (signal) => get<QualityReport>(url, signal));
  const all = useResource(`applications ${cut.since}`, (signal) => get<QualityReport>(`/v1/quality?since=${cut.since}&step=${cut.width}`, signal));
  return (
    <section className="stack" aria-label="Overview">
      <div className="section-head">
        <Choice label="Period" value={period} onChange={setPeriod} options={PERIODS} />
        <span className="row nowrap">
          <select aria-label="Application" value={application} onChange={(event) => setApplication(event.target.value)}>
            <option value="">All applications</option>
            {(all.data?.applications ?? []).filter(Boolean).map((name) => <option key={name}>{name}</option>)}
          </select>
          <IconButton icon="refresh" label="Refresh" onClick={found.reload} disabled={found.loading} />
        </span>
      </div>
      <Loaded of={found} what="Adding up">{(report) => <Report report={report} cut={cut} />}</Loaded>
    </section>
  );
}

// A refusal for lack of support ended well, and answered nothing.
function answered(counted: Counted): number {
  return counted.ok - counted.not_in_documents;
}

function Report({ report, cut }: { report: QualityReport; cut: ReturnType<typeof cutOf> }): ReactNode {
  const total = report.total;
  const ended = total.ok + total.failed + total.refused + total.cancelled;
  if (ended === 0) return <Empty icon="shield" title="There were no requests in this period">Outcomes of requests and faults of answers are counted here.</Empty>;
  const rows = new Map(report.data.map((row) => [Math.floor(row.at / cut.width), row]));
  const last = Math.floor(cut.now / cut.width);
  const slots = Array.from({ length: cut.many }, (_, index) => {
    const slot = last - cut.many + 1 + index;
    const row = rows.get(slot);
    const counts = new Map(SERIES.map(({ name }) => [name, row ? (name === "answered" ? answered(row) : (row[name as keyof Counted] as number)) : 0]));
    return { name: slotName(slot * cut.width, cut.width), counts };
  });
  const recent = Array.from({ length: cut.many }, (_, index) => rows.get(last - cut.many + 1 + index));
  const errors = Object.entries(total.errors).sort((a, b) => b[1] - a[1]).map(([name, value]): [string, number] => [name.replaceAll("_", " "), value]);
  const examples = EXAMPLES.filter(([name]) => (report.examples[name] ?? []).length > 0);
  return (
    <>
      <dl className="figures large">
        <div><dt>Answered</dt><dd>{share(answered(total), ended)}<small>{count(answered(total))} of {count(ended)} requests</small></dd></div>
        <div><dt>Not in the documents</dt><dd>{share(total.not_in_documents, ended)}<small>{count(total.not_in_documents)} of {count(ended)} requests</small></dd></div>
        <div><dt>Refused by guards</dt><dd>{count(total.guard_refused)}<small>{share(total.guard_refused, ended)} of requests</small></dd></div>
        <div><dt>No support found</dt><dd>{share(total.unanswered, total.retrievals)}<small>{count(total.unanswered)} of {count(total.retrievals)} searches of documents</small></dd></div>
        <div><dt>Unsupported sentences</dt><dd>{share(total.unsupported, total.sentences)}<small>{count(total.unsupported)} of {count(total.sentences)} that were checked</small></dd></div>
        <div><dt>Leaks stopped</dt><dd>{count(total.leaks)}<small>secrets and prompts in answers</small></dd></div>
      </dl>
      <section className="card stack" aria-label="Requests over time">
        <h2>Requests over time</h2>
        <Stacked label="Requests over time" slots={slots} series={SERIES} />
      </section>
      {total.realtime && <AtOnce report={report} slots={recent} />}
      {total.scores.length > 0 && <Judged report={report} slots={recent} />}
      <div className="two">
        {errors.length > 0 && <Shares title="Errors by code" rows={errors} />}
        {examples.length > 0 && (
          <section className="card stack" aria-label="Examples">
            <h2>Examples</h2>
            <dl className="pairs">
              {examples.map(([name, title]) => <div key={name}><dt>{title}</dt><dd><Examples traces={report.examples[name]!} /></dd></div>)}
            </dl>
          </section>
        )}
      </div>
    </>
  );
}

// What is found in every answer, beside what judges say of some.
function AtOnce({ report, slots }: { report: QualityReport; slots: (Counted | undefined)[] }): ReactNode {
  const said = (value: number | null | undefined): string => (value === null || value === undefined ? "–" : percent(value));
  return (
    <section className="card stack" aria-label="Every answer">
      <div className="between"><h2>Every answer</h2><span className="muted small">shares of answers without a finding, known at once</span></div>
      <div className="scroll" tabIndex={0} role="group" aria-label="Scores of every answer">
        <table className="table compact">
          <thead><tr><th>Measure</th><th className="number">Share</th><th className="wide">Over time</th></tr></thead>
          <tbody>
            {FOUND_AT_ONCE.map((name) => (
              <tr key={name}>
                <td>{measure(name)}</td>
                <td className="number">{said(report.total.realtime![name])}</td>
                <td className="wide over-time"><Line label={measure(name)} values={slots.map((slot) => slot?.realtime?.[name] ?? null)} format={percent} max={1} /></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

// Means of judged answers, measure by measure: those of two judges are not comparable, and stand apart.
function Judged({ report, slots }: { report: QualityReport; slots: (Counted | undefined)[] }): ReactNode {
  const same = (one: Scored, other: Scored): boolean => one.metric === other.metric && one.judge === other.judge;
  return (
    <section className="card stack" aria-label="Judged answers">
      <div className="between"><h2>Judged answers</h2><span className="muted small">{plural(report.total.judged, "answer was", "answers were")} judged in the background, from 0 to 1</span></div>
      <div className="scroll" tabIndex={0} role="group" aria-label="Scores of judged answers">
        <table className="table compact">
          <thead><tr><th>Measure</th><th>Judge</th><th className="number">Judged</th><th className="number">Mean</th><th className="wide">Over time</th><th>Lowest</th></tr></thead>
          <tbody>
            {report.total.scores.map((scored) => (
              <tr key={`${scored.metric} ${scored.judge}`}>
                <td>{measure(scored.metric)}</td>
                <td className="mono">{scored.judge.split("@")[0]}</td>
                <td className="number">{count(scored.count)}</td>
                <td className="number">{score(scored.mean)}</td>
                <td className="wide over-time"><Line label={measure(scored.metric)} values={slots.map((slot) => slot?.scores.find((each) => same(each, scored))?.mean ?? null)} format={score} max={1} /></td>
                <td><Examples traces={report.examples[`low ${scored.metric}`] ?? []} /></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
