// Online experiments: the arms of a route on live traffic, and what may be said of them at any time.
import type { ReactNode } from "react";
import { get } from "../../api/client";
import type { Trial } from "../../api/trials";
import type { List } from "../../api/types";
import { moment } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Link, path, usePlace } from "../../lib/route";
import { Badge } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";
import { TrialView } from "./trial";

export default function TrialsPage(): ReactNode {
  const { rest } = usePlace();
  return rest[0] ? <TrialView key={rest[0]} name={rest[0]} /> : <TrialList />;
}

function TrialList(): ReactNode {
  const found = useResource("/v1/trials", (signal) => get<List<Trial>>("/v1/trials", signal));
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <h1>Online experiments</h1>
          <p className="muted">Arms of a route, compared on live traffic. The result stays valid however often you look.</p>
        </div>
      </header>
      <section className="stack" aria-label="Online experiments">
        <Loaded of={found} what="Reading the experiments">
          {({ data }) => data.length === 0 ? (
            <Empty icon="sliders" title="No experiment">An administrator starts one: <code>mainspring trials start NAME FILE</code></Empty>
          ) : (
            <div className="scroll" tabIndex={0} role="group" aria-label="Experiments">
              <table className="table">
                <thead><tr><th>Experiment</th><th>Route</th><th>State</th><th>Since</th></tr></thead>
                <tbody>
                  {data.map((each) => (
                    <tr key={each.id}>
                      <td><Link to={path("trials", each.id)}>{each.id}</Link></td>
                      <td>{each.definition.route}</td>
                      <td>{each.winner ? <Badge tone="good">{`${each.winner} has all traffic`}</Badge> : <Badge tone={each.status === "running" ? "accent" : "plain"}>{each.status}</Badge>}</td>
                      <td className="nowrap">{moment(each.created_at)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </Loaded>
      </section>
    </div>
  );
}
