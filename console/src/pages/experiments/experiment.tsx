// One experiment: its comparison, quality against cost, slices, and answers side by side.
import { useEffect, useState, type ReactNode } from "react";
import { ApiError, get, post } from "../../api/client";
import type { Comparison, Estimate, Experiment, Report, ScoreEstimate } from "../../api/datasets";
import { count, duration, money, plural } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { Button, IconButton } from "../../ui/controls";
import { Loaded, Note } from "../../ui/states";
import { toast } from "../../ui/toast";
import { Answers } from "./answers";
import { Scatter } from "./scatter";
import { Status } from "./status";

const EVERY_MS = 3000;

export function ExperimentView({ id }: { id: string }): ReactNode {
  const url = `/v1/experiments/${encodeURIComponent(id)}`;
  const experiment = useResource(url, (signal) => get<Experiment>(url, signal));
  const report = useResource(`${url}/report`, (signal) => get<Report>(`${url}/report`, signal));
  const [scorer, setScorer] = useState("");
  const running = experiment.data !== undefined && ["queued", "running"].includes(experiment.data.status);
  useEffect(() => {
    if (!running) return report.reload();
    const timer = setInterval(() => document.hidden || experiment.reload(), EVERY_MS);
    return () => clearInterval(timer);
  }, [running, experiment.reload, report.reload]);
  const cancel = async (): Promise<void> => {
    try {
      await post(`${url}/cancel`, {});
    } catch (error) {
      toast((error as ApiError).message);
    }
    experiment.reload();
  };
  return (
    <div className="page">
      <Loaded of={experiment} what="Reading the experiment">
        {(found) => (
          <>
            <header className="page-head">
              <div>
                <p className="small"><Link to={path("experiments")}>Experiments</Link></p>
                <h1>{found.name}</h1>
                <p className="muted small">
                  <Status status={found.status} /> <Link to={`${path("datasets", found.dataset)}?version=${found.version}`}>{`${found.dataset}@${found.version}`}</Link>
                  {`, ${count(found.counts.done)} of ${count(found.counts.total)} answers`}
                </p>
              </div>
              <span className="row">
                {running && <Button icon="stop" onClick={() => void cancel()}>Cancel</Button>}
                <IconButton icon="refresh" label="Refresh" onClick={() => { experiment.reload(); report.reload(); }} disabled={report.loading} />
              </span>
            </header>
            {found.error && <Note tone="bad">{found.error}</Note>}
            <Loaded of={report} what="Reading the report">
              {(told) => {
                const chosen = scorer || found.scorers[0]?.label || "";
                return (
                  <>
                    {found.scorers.length > 1 && (
                      <div className="filters">
                        <label>
                          Scorer
                          <select value={chosen} onChange={(event) => setScorer(event.target.value)}>
                            {found.scorers.map((each) => <option key={each.label}>{each.label}</option>)}
                          </select>
                        </label>
                      </div>
                    )}
                    <Compared report={told} scorer={chosen} />
                    {told.responders.length > 1 && <Scatter report={told} scorer={chosen} />}
                    {told.slices.length > 0 && <Slices report={told} scorer={chosen} />}
                    <Answers id={id} scorer={chosen} comparisons={told.comparisons.filter((each) => each.scorer === chosen)} />
                  </>
                );
              }}
            </Loaded>
          </>
        )}
      </Loaded>
    </div>
  );
}

export function estimate(found: Pick<Estimate, "mean" | "low" | "high"> | undefined, sign = false): string {
  if (!found || found.mean === null) return "–";
  const said = (value: number): string => `${sign && value > 0 ? "+" : ""}${value.toFixed(3)}`;
  return found.low === null || found.high === null ? said(found.mean) : `${said(found.mean)} [${said(found.low)}, ${said(found.high)}]`;
}

export function calibrated(found: ScoreEstimate | undefined): string {
  return found?.calibrated ? `${estimate(found.calibrated)}, ${found.calibrated.by}, ${plural(found.calibrated.labels, "label")}` : "–";
}

function Compared({ report, scorer }: { report: Report; scorer: string }): ReactNode {
  const against = (name: string): Comparison | undefined => report.comparisons.find((each) => each.scorer === scorer && each.responder === name);
  const raw = report.responders.some((each) => each.scores[scorer]?.raw);
  const why = report.responders.map((each) => each.scores[scorer]?.why).find(Boolean);
  return (
    <section className="stack" aria-label="Comparison">
      <div className="scroll" tabIndex={0} role="group" aria-label="Comparison of responders">
        <table className="table">
          <thead>
            <tr><th>Responder</th><th className="number">{raw ? `${scorer} (raw)` : scorer}</th>{raw && <th className="number">Calibrated</th>}<th className="number">Difference</th><th className="number">p</th><th className="number">Won, lost</th><th className="number">Cost</th><th className="number">p50</th><th className="number">p95</th><th className="number">Failed</th></tr>
          </thead>
          <tbody>
            {report.responders.map((each) => {
              const found = against(each.name);
              return (
                <tr key={each.name}>
                  <td>{each.name}</td>
                  <td className="number nowrap">{estimate(each.scores[scorer])}</td>
                  {raw && <td className="number nowrap">{calibrated(each.scores[scorer])}</td>}
                  <td className="number nowrap">{found ? estimate(found.difference, true) : "baseline"}</td>
                  <td className="number">{found?.p_corrected === undefined || found.p_corrected === null ? "–" : found.p_corrected.toFixed(4)}</td>
                  <td className="number nowrap">{found ? `${found.won}, ${found.lost}` : "–"}</td>
                  <td className="number">{money(each.cost_usd)}</td>
                  <td className="number">{each.seconds_p50 === null ? "–" : duration(each.seconds_p50)}</td>
                  <td className="number">{each.seconds_p95 === null ? "–" : duration(each.seconds_p95)}</td>
                  <td className="number">{each.failed}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <p className="muted small">{`${plural(report.examples, "example")}. Intervals are 95 % over groups; p-values are corrected for the number of comparisons.`}</p>
      {raw && <p className="muted small">{why ? `There is no calibrated estimate: ${why}.` : "Calibrated is what people would say of all answers, estimated from their labels. Differences are of raw scores."}</p>}
    </section>
  );
}

function Slices({ report, scorer }: { report: Report; scorer: string }): ReactNode {
  return (
    <section className="stack" aria-label="Slices">
      <h2>Slices</h2>
      <div className="scroll" tabIndex={0} role="group" aria-label="Scores by slice">
        <table className="table compact">
          <thead><tr><th>Tag</th><th>Value</th><th className="number">Examples</th>{report.responders.map((each) => <th key={each.name} className="number">{each.name}</th>)}</tr></thead>
          <tbody>
            {report.slices.map((each) => (
              <tr key={`${each.tag} ${each.value}`}>
                <td>{each.tag}</td>
                <td>{each.value}</td>
                <td className="number">{count(each.examples)}</td>
                {each.responders.map((one) => <td key={one.name} className="number nowrap">{estimate(one.scores[scorer])}</td>)}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
