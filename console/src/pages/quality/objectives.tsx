// Service level objectives: what was promised of each application, what was reached, and what is left of the error budget.
import type { ReactNode } from "react";
import { get } from "../../api/client";
import type { Objective } from "../../api/monitor";
import type { List } from "../../api/types";
import { count, duration, percent, UNNAMED } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Badge } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";

// Of the windows that alerts look at, in seconds.
const SHOWN = new Set(["3600", "21600", "259200"]);

export function ObjectivesView(): ReactNode {
  const slos = useResource("slos", (signal) => get<List<Objective>>("/v1/slos", signal));
  return (
    <section className="stack" aria-label="Objectives">
      <p className="muted">An error budget is the share of requests that may go wrong. Objectives are set in <code>mainspring.yaml</code> under <code>monitor</code>.</p>
      <Loaded of={slos} what="Adding up the objectives">
        {(found) =>
          found.data.length === 0 ? (
            <Empty icon="shield" title="No objective counts anything yet">Each application has its own once it is asked.</Empty>
          ) : (
            <div className="cards">
              {found.data.map((each) => <ObjectiveCard key={`${each.application} ${each.name}`} objective={each} />)}
            </div>
          )
        }
      </Loaded>
    </section>
  );
}

function ObjectiveCard({ objective }: { objective: Objective }): ReactNode {
  const { reached, target, budget_left: left } = objective;
  const spent = left <= 0;
  return (
    <article className="card stack" aria-label={`${objective.name} of ${objective.application || UNNAMED}`}>
      <div className="between">
        <div>
          <h2>{objective.application || UNNAMED}</h2>
          <p className="muted small">{objective.name} · {percent(target)}{objective.under_s ? ` within ${duration(objective.under_s)}` : ""}</p>
        </div>
        <Badge tone={reached === null ? "plain" : spent ? "bad" : left < 0.25 ? "warn" : "good"}>
          {reached === null ? "no requests" : spent ? "budget spent" : reached >= target ? "met" : "below target"}
        </Badge>
      </div>
      <div>
        <p className="chart-value">{reached === null ? "–" : percent(reached)}</p>
        <p className="muted small">{count(objective.bad)} bad of {count(objective.requests)} requests</p>
      </div>
      <div>
        <div className="between small"><span>Error budget left</span><span>{percent(Math.max(0, left))}</span></div>
        <span className="meter" style={{ display: "block", marginTop: 5 }}><span className={spent ? "over" : ""} style={{ width: `${100 * Math.min(1, Math.max(0, left))}%` }} /></span>
      </div>
      <p className="muted small">
        Burn rate: {Object.entries(objective.burn_rates).filter(([window]) => SHOWN.has(window)).map(([window, rate]) => `${rate.toFixed(rate < 10 ? 1 : 0)}× over ${duration(Number(window))}`).join(", ") || "–"}
      </p>
    </article>
  );
}
