// The latest experiments.
import { useEffect, useState, type ReactNode } from "react";
import { get } from "../../api/client";
import type { Experiment } from "../../api/datasets";
import type { List } from "../../api/types";
import { count, moment } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { Button, IconButton } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";
import { Status } from "./status";

const EVERY_MS = 5000;

export function ExperimentList(): ReactNode {
  const [after, setAfter] = useState("");
  const url = `/v1/experiments?${new URLSearchParams({ limit: "50", ...(after && { after }) })}`;
  const experiments = useResource(url, (signal) => get<List<Experiment>>(url, signal));
  useEffect(() => {
    const timer = setInterval(() => document.hidden || experiments.reload(), EVERY_MS);
    return () => clearInterval(timer);
  }, [experiments.reload]);
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <h1>Experiments</h1>
          <p className="muted">Models, collections and agents compared over a data set.</p>
        </div>
        <IconButton icon="refresh" label="Refresh" onClick={experiments.reload} disabled={experiments.loading} />
      </header>
      <Loaded of={experiments} what="Reading the experiments">
        {(found) =>
          found.data.length === 0 ? (
            <Empty icon="sliders" title="There are no experiments">Run one with <code>mainspring experiments run --dataset NAME --responder A --responder B</code>.</Empty>
          ) : (
            <>
              <div className="scroll" tabIndex={0} role="group" aria-label="Experiments">
                <table className="table">
                  <thead><tr><th>Experiment</th><th>State</th><th>Data set</th><th>Responders</th><th className="number">Answers</th><th>Begun</th></tr></thead>
                  <tbody>
                    {found.data.map((each) => (
                      <tr key={each.id}>
                        <td><Link to={path("experiments", each.id)}>{each.name}</Link></td>
                        <td><Status status={each.status} /></td>
                        <td className="nowrap"><Link to={`${path("datasets", each.dataset)}?version=${each.version}`}>{`${each.dataset}@${each.version}`}</Link></td>
                        <td className="small">{each.recorded ? "recorded answers" : each.responders.map((one) => one.name).join(", ")}</td>
                        <td className="number nowrap">{`${count(each.counts.done)} of ${count(each.counts.total)}`}</td>
                        <td className="nowrap">{moment(each.created_at)}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
              <div className="row">
                {after && <Button onClick={() => setAfter("")}>First</Button>}
                {found.has_more && found.last_id && <Button onClick={() => setAfter(found.last_id!)}>More</Button>}
              </div>
            </>
          )
        }
      </Loaded>
    </div>
  );
}
