// One advice: what it comes to, the measured rows beside what each way is for, and how they differ.
import { useEffect, type ReactNode } from "react";
import { unfinished, type Advice, type AdviceReport, type AdviceRow, type Estimate } from "../../api/advise";
import { ApiError, get, post } from "../../api/client";
import { count, duration, moment, money, plural } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { Badge, Button, IconButton } from "../../ui/controls";
import { Loaded, Note } from "../../ui/states";
import { toast } from "../../ui/toast";

const EVERY_MS = 2000;

export function AdviceView({ id }: { id: string }): ReactNode {
  const url = `/v1/advice/${encodeURIComponent(id)}`;
  const found = useResource(url, (signal) => get<Advice>(url, signal));
  const status = found.data?.status;
  useEffect(() => {
    if (status === undefined || !unfinished(status)) return undefined;
    const timer = setInterval(() => document.hidden || found.reload(), EVERY_MS);
    return () => clearInterval(timer);
  }, [status, found.reload]);
  const cancel = async (): Promise<void> => {
    try {
      await post(`${url}/cancel`, {});
    } catch (error) {
      toast((error as ApiError).message);
    }
    found.reload();
  };
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <p className="muted small"><Link to={path("advise")}>Advice</Link></p>
          <h1 className="breaking">{found.data?.name ?? id}</h1>
        </div>
        <div className="row">
          {status && unfinished(status) && <Button onClick={() => void cancel()}>Cancel</Button>}
          <IconButton icon="refresh" label="Refresh" onClick={found.reload} disabled={found.loading} />
        </div>
      </header>
      <Loaded of={found} what="Reading the advice">{(advice) => <Shown advice={advice} />}</Loaded>
    </div>
  );
}

export function Verdict({ of }: { of: Advice }): ReactNode {
  if (of.verdict === "recommended") return <Badge tone="good">{of.way}</Badge>;
  if (of.verdict === "unsure") return <Badge tone="warn">{`unsure, ${of.way} for now`}</Badge>;
  if (of.verdict === "nothing") return <Badge tone="bad">nothing is recommended</Badge>;
  return <Badge tone={of.status === "failed" ? "bad" : of.status === "running" ? "accent" : "plain"}>{unfinished(of.status) ? of.stage : of.status}</Badge>;
}

function Shown({ advice }: { advice: Advice }): ReactNode {
  const { report } = advice;
  return (
    <>
      {advice.error && <Note tone="bad">{advice.error}</Note>}
      <p className="muted">{`${advice.model}${advice.collection ? ` and ${advice.collection}` : ""}, on ${advice.dataset}@${advice.version}. `}<Verdict of={advice} /></p>
      {report && <Reported report={report} />}
      <Steps steps={advice.steps} />
    </>
  );
}

function Reported({ report }: { report: AdviceReport }): ReactNode {
  const { sample, terms, facts } = report;
  return (
    <>
      <section className="card stack" aria-label="Why">
        <h2>Why</h2>
        <ul>{report.reasons.map((each) => <li key={each}>{each}</li>)}</ul>
        <p className="muted small">
          {`${plural(sample.measured, "question")} measured with ${report.scorer}, ${count(sample.learn)} to learn from (${sample.split}). `}
          {`${count(terms.queries_per_month)} queries a month, what comes first spread over ${terms.months} months. `}
          {facts.changes_per_month === null ? "How often facts change is not known. " : `Facts change ${facts.changes_per_month.toPrecision(2)} times a month, as ${facts.source === "told" ? "was told" : "the documents show"}. `}
          {report.experiment && <Link to={path("experiments", report.experiment)}>The answers side by side</Link>}
        </p>
      </section>
      <Rows report={report} />
      <Differences report={report} />
    </>
  );
}

function Rows({ report }: { report: AdviceReport }): ReactNode {
  const paid = (usd: number, seconds: number): string => {
    if (report.unit === "usd") return usd === 0 ? "–" : money(usd);
    return seconds === 0 ? "–" : duration(seconds);
  };
  return (
    <section className="stack" aria-label="Ways">
      <h2>What was measured</h2>
      <div className="scroll" tabIndex={0} role="group" aria-label="Each way">
        <table className="table">
          <thead><tr><th>Way</th><th className="number">Quality</th><th className="number">A query</th><th className="number">Seconds</th><th className="number">Upfront</th><th className="number">A month</th></tr></thead>
          <tbody>
            {report.rows.map((row) => (
              <tr key={row.way}>
                <td className="nowrap"><strong>{row.way}</strong> {report.out[row.way] !== undefined && <Badge tone="bad">out</Badge>}</td>
                {row.tried ? (
                  <>
                    <td className="number nowrap">{quality(row.quality)}</td>
                    <td className="number nowrap">{paid(row.usd, row.seconds)}</td>
                    <td className="number">{row.seconds.toFixed(2)}</td>
                    <td className="number nowrap">{paid(row.upfront_usd, row.upfront_seconds)}</td>
                    <td className="number nowrap">{row.monthly === null ? "–" : paid(row.monthly, row.monthly)}</td>
                  </>
                ) : <td colSpan={5}><Badge>not tried</Badge></td>}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <ul className="stack" aria-label="Description of each way">
        {report.rows.map((row) => <li key={row.way} className="card"><Because row={row} out={report.out[row.way]} /></li>)}
      </ul>
    </section>
  );
}

function Because({ row, out }: { row: AdviceRow; out: string | undefined }): ReactNode {
  return (
    <div className="small">
      <p><strong>{row.way}</strong>: {row.about}</p>
      {out && <p>Out: {out}.</p>}
      {!row.tried && <p>Not tried: {row.reason}. {row.command && <code className="breaking">{row.command}</code>}</p>}
      {row.notes.length > 0 && <p className="muted">{`${row.notes.join("; ")}.`}</p>}
    </div>
  );
}

function Differences({ report }: { report: AdviceReport }): ReactNode {
  if (report.pairs.length === 0 && report.break_even.length === 0) return null;
  return (
    <section className="stack" aria-label="Differences">
      <h2>Differences between the ways</h2>
      {report.pairs.length > 0 && (
        <div className="scroll" tabIndex={0} role="group" aria-label="Pairs of ways">
          <table className="table compact">
            <thead><tr><th>Way</th><th>Less</th><th className="number">Difference</th><th>Beyond doubt</th></tr></thead>
            <tbody>
              {report.pairs.map((each) => (
                <tr key={`${each.way} ${each.against}`}>
                  <td>{each.way}</td>
                  <td>{each.against}</td>
                  <td className="number nowrap">{quality(each.difference)}</td>
                  <td>{each.beyond_doubt ? <Badge tone="good">yes</Badge> : <span className="muted">no</span>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {report.break_even.length > 0 && (
        <ul className="small">{report.break_even.map((each) => <li key={`${each.way} ${each.against}`}>{`${each.way} has cost less than ${each.against} after ${count(Math.ceil(each.queries))} queries.`}</li>)}</ul>
      )}
    </section>
  );
}

function Steps({ steps }: { steps: Advice["steps"] }): ReactNode {
  if (steps.length === 0) return null;
  return (
    <section className="stack" aria-label="Steps">
      <h2>Steps of the analysis</h2>
      <div className="scroll" tabIndex={0} role="group" aria-label="Steps in their order">
        <table className="table compact">
          <thead><tr><th>When</th><th>To</th><th>Why</th></tr></thead>
          <tbody>
            {steps.map((each, place) => (
              <tr key={place}><td className="nowrap">{moment(each.at)}</td><td>{each.stage}</td><td>{each.reason || "–"}</td></tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function quality(found: Estimate): string {
  if (found.mean === null) return "–";
  const interval = found.low === null || found.high === null ? "" : ` [${found.low.toFixed(3)}, ${found.high.toFixed(3)}]`;
  return `${found.mean.toFixed(3)}${interval}, n ${found.n}`;
}
