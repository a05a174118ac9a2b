// The latest jobs.
import { useEffect, useState, type ReactNode } from "react";
import { get } from "../../api/client";
import type { TrainingJob } from "../../api/train";
import type { List } from "../../api/types";
import { count, duration, moment } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { Button } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";
import { Status } from "./status";

const EVERY_MS = 5000;

export function JobList(): ReactNode {
  const [after, setAfter] = useState("");
  const url = `/v1/training/jobs?${new URLSearchParams({ limit: "50", ...(after && { after }) })}`;
  const jobs = useResource(url, (signal) => get<List<TrainingJob>>(url, signal));
  useEffect(() => {
    const timer = setInterval(() => document.hidden || jobs.reload(), EVERY_MS);
    return () => clearInterval(timer);
  }, [jobs.reload]);
  return (
    <section className="stack" aria-label="Jobs">
      <Loaded of={jobs} what="Reading the jobs">
        {({ data, has_more }) => data.length === 0 ? (
          <Empty icon="columns" title="Nothing was trained yet">Start with an export of your traffic: choose a recipe under <Link to={path("train", "recipes")}>Recipes</Link>, or run <code>mainspring train RECIPE --export ID</code></Empty>
        ) : (
          <>
            <div className="scroll" tabIndex={0} role="group" aria-label="Jobs of training">
              <table className="table">
                <thead><tr><th>Job</th><th>Recipe</th><th>State</th><th className="number">Step</th><th className="number">Rows</th><th className="number">Took</th><th>Made</th></tr></thead>
                <tbody>
                  {data.map((each) => (
                    <tr key={each.id}>
                      <td><Link to={path("train", "jobs", each.id)}>{each.name}</Link><div className="muted small nowrap">{moment(each.created_at)}</div></td>
                      <td>{each.recipe}</td>
                      <td><Status status={each.status} />{each.error && <div className="muted small breaking">{each.error.message.slice(0, 160)}</div>}</td>
                      <td className="number">{count(each.step)}</td>
                      <td className="number">{each.data.rows === undefined ? "–" : count(each.data.rows)}</td>
                      <td className="number nowrap">{duration(each.seconds)}</td>
                      <td>{each.version ? <Link to={path("train", "models", each.version)}>{each.version}</Link> : "–"}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
            <div className="row">
              {after && <Button onClick={() => setAfter("")}>Newest</Button>}
              {has_more && <Button onClick={() => setAfter(data.at(-1)!.id)}>Older</Button>}
            </div>
          </>
        )}
      </Loaded>
    </section>
  );
}
