// Drift: how the latest traffic of each application compares with that before, feature by feature.
import { useState, type ReactNode } from "react";
import { ApiError, get, post } from "../../api/client";
import type { Drift } from "../../api/monitor";
import type { List } from "../../api/types";
import { count, moment, UNNAMED } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Badge, Button } from "../../ui/controls";
import { Confirm } from "../../ui/dialog";
import { Empty, Loaded } from "../../ui/states";
import { toast } from "../../ui/toast";

const TONES = { drifted: "warn", stable: "good", learning: "plain" } as const;

export function DriftView(): ReactNode {
  const drift = useResource("drift", (signal) => get<List<Drift>>("/v1/drift", signal));
  const [accepting, setAccepting] = useState<string>();
  const accept = async (application: string): Promise<void> => {
    try {
      await post("/v1/drift/accept", { application });
      toast(`The present traffic of ${application} is the new reference`);
    } catch (error) {
      toast((error as ApiError).message);
    }
    setAccepting(undefined);
    drift.reload();
  };
  return (
    <section className="stack" aria-label="Drift">
      <p className="muted">Questions, search results, answers and guard decisions of the last hours, compared with the days before. A large and unlikely change is marked.</p>
      <Loaded of={drift} what="Comparing the traffic">
        {(found) =>
          found.data.length === 0 ? (
            <Empty icon="live" title="Nothing to compare yet">Each application is compared with its own past once there is enough traffic.</Empty>
          ) : (
            found.data.map((each) => <ApplicationDrift key={each.application} drift={each} onAccept={() => setAccepting(each.application)} />)
          )
        }
      </Loaded>
      {accepting !== undefined && (
        <Confirm title={`Accept the traffic of ${accepting || UNNAMED}?`} verb="Accept" onYes={() => void accept(accepting)} onClose={() => setAccepting(undefined)}>
          <p>The alert ends, and later traffic is compared with that from now on. Do this if the change is intended.</p>
        </Confirm>
      )}
    </section>
  );
}

function ApplicationDrift({ drift, onAccept }: { drift: Drift; onAccept: () => void }): ReactNode {
  const features = [...drift.features].sort((a, b) => b.value / (b.limit || 1) - a.value / (a.limit || 1));
  return (
    <section className="card stack" aria-label={`Drift of ${drift.application || UNNAMED}`}>
      <div className="section-head">
        <div className="row">
          <h2>{drift.application || UNNAMED}</h2>
          <Badge tone={TONES[drift.state]}>{drift.state === "learning" ? "not enough traffic yet" : drift.state}</Badge>
          {drift.raised_at && <span className="muted small">since {moment(drift.raised_at)}</span>}
          {drift.accepted_at && <span className="muted small">accepted {moment(drift.accepted_at)}</span>}
        </div>
        {drift.state === "drifted" && <Button onClick={onAccept}>Accept the change</Button>}
      </div>
      {features.length > 0 && (
        <div className="scroll" tabIndex={0} role="group" aria-label={`Features of ${drift.application}`}>
          <table className="table compact">
            <thead><tr><th>Feature</th><th>Statistic</th><th className="wide">Value against its limit</th><th className="number">Now</th><th className="number">Before</th></tr></thead>
            <tbody>
              {features.map((feature) => (
                <tr key={feature.name + feature.statistic}>
                  <td>{feature.name.replaceAll("_", " ")}</td>
                  <td>{feature.statistic.replaceAll("_", " ")}</td>
                  <td className="wide">
                    <span className="meter-row">
                      <span className="meter"><span className={feature.drifted ? "over" : ""} style={{ width: `${Math.min(100, (100 * feature.value) / (feature.limit || 1))}%` }} /></span>
                      <span className="nowrap">{feature.value.toPrecision(3)} of {feature.limit.toPrecision(3)}</span>
                    </span>
                  </td>
                  <td className="number">{count(feature.current)}</td>
                  <td className="number">{count(feature.reference)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
