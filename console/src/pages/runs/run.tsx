// One run: its state, its steps as they come, and what can be done with it.
import { useEffect, type ReactNode } from "react";
import { get, may, sentence } from "../../api/client";
import { OVER, runUrl, watch, type Run, type RunStep } from "../../api/runs";
import type { List } from "../../api/types";
import { count, duration, moment, money } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { spent } from "../../lib/run_steps";
import { useMe } from "../../session";
import { Icon } from "../../ui/icon";
import { Loaded, Note } from "../../ui/states";
import { Actions } from "./actions";
import { RunState } from "./state";
import { StepCard } from "./step";

interface Whole {
  run: Run;
  steps: RunStep[];
}

// Events come in bursts, and a stream that was cut off is opened again.
const GATHER_MS = 250;
const AGAIN_MS = 2000;

export function RunView({ id }: { id: string }): ReactNode {
  const url = runUrl(id);
  const whole = useResource<Whole>(url, async (signal) => {
    const [run, steps] = await Promise.all([get<Run>(url, signal), get<List<RunStep>>(`${url}/steps`, signal)]);
    return { run, steps: steps.data };
  });
  const over = whole.data === undefined || OVER.includes(whole.data.run.status);
  useFollowing(id, !over, whole.reload);
  return (
    <div className="page">
      <Loaded of={whole} what="Opening the run">
        {({ run, steps }) => (
          <>
            <header className="page-head">
              <div>
                <Link to={path("runs")} className="back"><Icon name="left" size={15} />Runs</Link>
                <h1 className="row">{run.agent} <RunState status={run.status} /></h1>
                <p className="muted mono breaking">{run.id}</p>
              </div>
              <Actions run={run} steps={steps} onChange={whole.reload} />
            </header>
            <Summary run={run} steps={steps} />
            {run.error && <Note tone={run.status === "failed" ? "bad" : "warn"}>{sentence(run.error.message)}</Note>}
            {run.output_text && (
              <section className="stack" aria-label="Answer">
                <h2>Answer</h2>
                <pre className="wrapped" tabIndex={0} aria-label="Answer of the agent">{run.output_text}</pre>
              </section>
            )}
            <section className="stack" aria-label="Steps">
              <h2>Steps</h2>
              {steps.length === 0 && <p className="muted">Nothing is done yet.</p>}
              <ol className="timeline">
                {steps.map((step) => <StepCard key={step.id} run={run} step={step} onChange={whole.reload} />)}
              </ol>
              {!over && <p className="waiting" role="status">{["running", "queued"].includes(run.status) && <span className="spinner" aria-hidden="true" />}{run.status === "waiting" ? "Waits for a person" : run.status}</p>}
            </section>
          </>
        )}
      </Loaded>
    </div>
  );
}

function useFollowing(id: string, live: boolean, reload: () => void): void {
  useEffect(() => {
    if (!live) return undefined;
    const stopping = new AbortController();
    let gathering: ReturnType<typeof setTimeout> | undefined;
    let again: ReturnType<typeof setTimeout> | undefined;
    const told = (): void => {
      gathering ??= setTimeout(() => {
        gathering = undefined;
        reload();
      }, GATHER_MS);
    };
    const follow = (): void => {
      watch(id, 0, stopping.signal, told)
        .catch(() => {})
        .finally(() => {
          if (stopping.signal.aborted) return;
          told();
          again = setTimeout(follow, AGAIN_MS);
        });
    };
    follow();
    // What has begun and is not done yet is told by no event.
    const looking = setInterval(() => document.hidden || told(), AGAIN_MS);
    return () => {
      stopping.abort();
      clearTimeout(gathering);
      clearTimeout(again);
      clearInterval(looking);
    };
  }, [id, live, reload]);
}

function Summary({ run, steps }: Whole): ReactNode {
  const me = useMe();
  const sum = spent(steps);
  const took = Math.max(0, ...steps.map((step) => step.ended_at ?? 0)) - run.created_at;
  return (
    <dl className="figures">
      <div><dt>Agent</dt><dd><Link to={path("agents", run.agent)}>{run.agent}</Link></dd></div>
      <div><dt>Begun</dt><dd>{moment(run.created_at)}</dd></div>
      <div><dt>Took</dt><dd>{took > 0 ? duration(took) : "–"}</dd></div>
      <div><dt>Steps done</dt><dd>{count(steps.filter((step) => step.status === "done").length)}</dd></div>
      <div><dt>Tokens read, written</dt><dd>{count(sum.read)}, {count(sum.written)}</dd></div>
      <div><dt>Cost</dt><dd>{money(sum.usd)}</dd></div>
      {run.expires_at !== null && <div><dt>Must end by</dt><dd>{moment(run.expires_at)}</dd></div>}
      {run.forked_from && <div><dt>Forked from</dt><dd><Link to={path("runs", run.forked_from)} className="mono">{run.forked_from.slice(0, 12)}…</Link></dd></div>}
      {run.trace_id && may(me, "admin") && <div><dt>Trace</dt><dd><Link to={path("traces", run.trace_id)}>open</Link></dd></div>}
    </dl>
  );
}
