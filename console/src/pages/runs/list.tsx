// The latest runs, of a state or an agent.
import { useEffect, useState, type ReactNode } from "react";
import { get, sentence } from "../../api/client";
import type { Run } from "../../api/runs";
import type { List } from "../../api/types";
import { moment } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { go, Link, path, usePlace } from "../../lib/route";
import { Button, IconButton } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";
import { RunState } from "./state";

const STATES = ["queued", "running", "waiting", "paused", "interrupted", "failed", "completed", "cancelled"];
const EVERY_MS = 5000;

export function RunList(): ReactNode {
  const { query } = usePlace();
  const [status, agent] = [query.get("status") ?? "", query.get("agent") ?? ""];
  const [limit, setLimit] = useState(30);
  const asked = new URLSearchParams({ limit: String(limit), order: "desc", ...(status && { status }), ...(agent && { agent }) });
  const url = `/v1/agents/runs?${asked}`;
  const runs = useResource(url, (signal) => get<List<Run>>(url, signal));
  useEffect(() => {
    const timer = setInterval(() => document.hidden || runs.reload(), EVERY_MS);
    return () => clearInterval(timer);
  }, [runs.reload]);
  const filter = (by: { status?: string; agent?: string }): void => {
    const chosen = new URLSearchParams(Object.entries({ status, agent, ...by }).filter(([, value]) => value));
    go(`${path("runs")}${chosen.size > 0 ? `?${chosen}` : ""}`, true);
  };
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <h1>Runs</h1>
          <p className="muted">Every run of an agent, step by step. A run continues after a restart.</p>
        </div>
        <IconButton icon="refresh" label="Refresh" onClick={runs.reload} disabled={runs.loading} />
      </header>
      <div className="filters">
        <label>
          State
          <select value={status} onChange={(event) => filter({ status: event.target.value })}>
            <option value="">all</option>
            {STATES.map((each) => <option key={each}>{each}</option>)}
          </select>
        </label>
        <label>
          Agent
          <input key={agent} defaultValue={agent} placeholder="all" onBlur={(event) => filter({ agent: event.target.value.trim() })} onKeyDown={(event) => event.key === "Enter" && filter({ agent: event.currentTarget.value.trim() })} />
        </label>
      </div>
      <Loaded of={runs} what="Reading the runs">
        {(found) =>
          found.data.length === 0 ? (
            <Empty icon="runs" title="There are no such runs">Every question to an agent starts a run. Keys with the scope <code>runs</code> also see runs of other keys.</Empty>
          ) : (
            <>
              <div className="scroll" tabIndex={0} role="group" aria-label="Runs">
                <table className="table">
                  <thead><tr><th>Run</th><th>State</th><th>Agent</th><th>Answer</th><th>Begun</th><th>Changed</th></tr></thead>
                  <tbody>
                    {found.data.map((run) => (
                      <tr key={run.id}>
                        <td className="nowrap"><Link to={path("runs", run.id)} className="mono" title={run.id}>{run.id.slice(0, 12)}…</Link></td>
                        <td><RunState status={run.status} /></td>
                        <td className="nowrap"><Link to={path("agents", run.agent)}>{run.agent}</Link></td>
                        <td className="asked"><span className="question">{run.error ? sentence(run.error.message) : run.output_text || "–"}</span></td>
                        <td className="nowrap">{moment(run.created_at)}</td>
                        <td className="nowrap">{moment(run.updated_at)}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
              {found.has_more && limit < 100 && <div><Button onClick={() => setLimit(100)}>Show more</Button></div>}
            </>
          )
        }
      </Loaded>
    </div>
  );
}
