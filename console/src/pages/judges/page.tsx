// Judges with the figures that they have published; one of them with its reliability curve.
import type { ReactNode } from "react";
import { get } from "../../api/client";
import type { Figures, Interval, Judge, Measurement } from "../../api/judges";
import type { List } from "../../api/types";
import { moment, money, plural } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Link, path, usePlace } from "../../lib/route";
import { Badge, IconButton } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";
import { Reliability } from "./reliability";

export default function JudgesPage(): ReactNode {
  const { rest } = usePlace();
  return rest[0] ? <JudgeView key={rest[0]} name={rest[0]} /> : <JudgesView />;
}

function JudgesView(): ReactNode {
  const found = useResource("judges", (signal) => get<List<Judge>>("/v1/judges", signal));
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <h1>Judges</h1>
          <p className="muted">Judges of answers, and how well they agree with people's labels. A judge without figures cannot be used in a gate.</p>
        </div>
        <IconButton icon="refresh" label="Refresh" onClick={found.reload} disabled={found.loading} />
      </header>
      <Loaded of={found} what="Reading the judges">
        {({ data }) => (
          <div className="scroll">
            <table className="table">
              <thead>
                <tr>
                  <th>Judge</th>
                  <th>Kind</th>
                  <th className="number">Labels</th>
                  <th className="number">Agreement</th>
                  <th className="number">Kappa</th>
                  <th className="number">Turned by order</th>
                  <th>Figures</th>
                </tr>
              </thead>
              <tbody>{data.map((judge) => <Row key={judge.name} judge={judge} />)}</tbody>
            </table>
          </div>
        )}
      </Loaded>
    </div>
  );
}

function Row({ judge }: { judge: Judge }): ReactNode {
  const figures = judge.published?.figures;
  return (
    <tr>
      <td><Link to={path("judges", judge.name)}>{judge.name}</Link></td>
      <td>{judge.definition.kind}, {judge.definition.mode}</td>
      <td className="number">{figures?.n ?? "–"}</td>
      <td className="number">{within(figures?.agreement?.agreement)}</td>
      <td className="number">{figures?.agreement?.kappa?.toFixed(2) ?? "–"}</td>
      <td className="number">{within(figures?.flips)}</td>
      <td><Count of={judge.published} /></td>
    </tr>
  );
}

function Count({ of }: { of: Measurement | null }): ReactNode {
  if (!of) return <Badge>not measured</Badge>;
  return of.current ? <Badge tone="good">{`of ${moment(of.finished_at ?? of.created_at)}`}</Badge> : <Badge tone="warn">changed since</Badge>;
}

function JudgeView({ name }: { name: string }): ReactNode {
  const url = `/v1/judges/${encodeURIComponent(name)}`;
  const found = useResource(url, (signal) => get<Judge>(url, signal));
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <p className="small"><Link to={path("judges")}>Judges</Link></p>
          <h1 className="breaking">{name}</h1>
        </div>
        <IconButton icon="refresh" label="Refresh" onClick={found.reload} disabled={found.loading} />
      </header>
      <Loaded of={found} what="Reading the judge">
        {(judge) => (
          <div className="stack">
            <p>{judge.definition.description}</p>
            {judge.published?.figures ? <Published of={judge.published} figures={judge.published.figures} /> : (
              <Empty icon="judges" title="No figures yet">Measure it on labels: <code>mainspring judges measure {name} --labels FILE</code></Empty>
            )}
            <details className="card">
              <summary>Definition</summary>
              <pre className="scroll">{JSON.stringify(judge.definition, null, 2)}</pre>
            </details>
          </div>
        )}
      </Loaded>
    </div>
  );
}

function Published({ of, figures }: { of: Measurement; figures: Figures }): ReactNode {
  const { agreement, cost, calibration, attacks } = figures;
  return (
    <>
      <p className="row wraps"><Count of={of} /><span className="muted small">{plural(figures.n, "label")}</span></p>
      <dl className="figures large">
        <div><dt>Agreement</dt><dd>{within(agreement?.without_ties ?? agreement?.agreement)}<small>{span(agreement?.without_ties ?? agreement?.agreement)}</small></dd></div>
        <div><dt>Kappa</dt><dd>{agreement?.kappa?.toFixed(2) ?? "–"}<small>base rate {agreement?.base_rate.toFixed(2) ?? "–"}</small></dd></div>
        <div><dt>Correlation</dt><dd>{within(figures.correlation)}<small>{span(figures.correlation)}</small></dd></div>
        <div><dt>AUROC</dt><dd>{within(figures.auroc)}<small>{span(figures.auroc)}</small></dd></div>
        <div><dt>Turned by order</dt><dd>{within(figures.flips)}<small>{span(figures.flips)}</small></dd></div>
      </dl>
      <dl className="figures large">
        <div><dt>Twice the length</dt><dd>{within(figures.verbosity)}<small>{span(figures.verbosity)}</small></dd></div>
        <div><dt>Padding</dt><dd>{within(figures.padding)}<small>{span(figures.padding)}</small></dd></div>
        <div><dt>Attacks obeyed</dt><dd>{attacks ? `${attacks.times} of ${attacks.n}` : "–"}<small>{span(attacks)}</small></dd></div>
        <div><dt>Tokens an item</dt><dd>{cost ? Math.round(cost.tokens) : "–"}<small>{cost ? money(cost.usd) : ""}</small></dd></div>
        <div><dt>Seconds an item</dt><dd>{cost ? cost.seconds_p50.toFixed(2) : "–"}<small>{cost ? `${cost.seconds_p95.toFixed(2)} at the 95th percentile` : ""}</small></dd></div>
      </dl>
      {figures.reliability && figures.reliability.length > 0 && (
        <section className="card stack" aria-label="Reliability">
          <div className="between"><h2>Scores beside people's labels</h2>{calibration && <Badge>{calibration.method === "none" ? "no map helps" : `calibrated by ${calibration.method}`}</Badge>}</div>
          <Reliability points={figures.reliability} />
        </section>
      )}
    </>
  );
}

function within(found: Interval | null | undefined): string {
  return found ? found.value.toFixed(2) : "–";
}

function span(found: Interval | null | undefined): string {
  return found ? `${found.low.toFixed(2)} to ${found.high.toFixed(2)}` : "not measured";
}
