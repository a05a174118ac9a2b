// The newest build: its rates, what each step took, and examples of that.
import { useEffect, useState, type ReactNode } from "react";
import { ApiError, get, post } from "../../api/client";
import type { LakeBuild, StepSample } from "../../api/lake";
import type { List } from "../../api/types";
import { count, duration, moment, percent, share } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { Badge, Button, IconButton } from "../../ui/controls";
import { Dialog } from "../../ui/dialog";
import { Empty, Loaded } from "../../ui/states";
import { toast } from "../../ui/toast";

const LOOK_AGAIN_MS = 2000;
// What examples are of: a step, or the rows that came through all of them.
type Sampled = { name: string; about: string };
const READY: Sampled = { name: "ready", about: "Rows that came through all steps, as training reads them." };

export function FunnelView(): ReactNode {
  const builds = useResource("lake builds", (signal) => get<List<LakeBuild>>("/v1/lake/builds?limit=20", signal));
  const [chosen, setChosen] = useState("");
  const all = builds.data?.data ?? [];
  const running = all.some((each) => each.state === "running");
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(builds.reload, LOOK_AGAIN_MS);
    return () => clearInterval(timer);
  });
  const build = async (): Promise<void> => {
    try {
      await post("/v1/lake/builds", {});
      toast("The build has begun");
    } catch (error) {
      toast((error as ApiError).message);
    }
    setChosen("");
    builds.reload();
  };
  return (
    <section className="stack" aria-label="Funnel">
      <div className="section-head">
        <span className="row nowrap">
          <select aria-label="Build" value={chosen} onChange={(event) => setChosen(event.target.value)}>
            <option value="">Newest build</option>
            {all.filter((each) => each.state === "done").map((each) => <option key={each.id} value={each.id}>{moment(each.created_at)}</option>)}
          </select>
        </span>
        <span className="row nowrap">
          <Button icon="play" disabled={running} onClick={() => void build()}>Build now</Button>
          <IconButton icon="refresh" label="Refresh" onClick={builds.reload} disabled={builds.loading} />
        </span>
      </div>
      <Loaded of={builds} what="Reading the builds">
        {({ data }) => {
          const shown = chosen || data.find((each) => each.state === "done")?.id;
          return (
            <>
              {running && <p className="muted" role="status">A build is under way.</p>}
              {data[0]?.state === "failed" && <p role="alert"><Badge tone="bad">failed</Badge> The last build ended without data: {data[0].error}</p>}
              {shown ? <Build key={shown} id={shown} /> : <Empty icon="lake" title="No build yet">A build runs all interactions through the steps and reports what each step removed.</Empty>}
            </>
          );
        }}
      </Loaded>
    </section>
  );
}

function Build({ id }: { id: string }): ReactNode {
  const url = `/v1/lake/builds/${encodeURIComponent(id)}`;
  const found = useResource(url, (signal) => get<LakeBuild>(url, signal));
  return <Loaded of={found} what="Reading the funnel">{(build) => <Steps build={build} />}</Loaded>;
}

function part(value: number | null): string {
  return value === null ? "–" : percent(value);
}

function Steps({ build }: { build: LakeBuild }): ReactNode {
  const [looking, setLooking] = useState<Sampled>();
  const total = build.interactions ?? 0;
  return (
    <>
      <dl className="figures large">
        <div><dt>Interactions</dt><dd>{count(total)}<small>built {moment(build.created_at)}</small></dd></div>
        <div><dt>Ready</dt><dd>{count(build.ready ?? 0)}{(build.ready_samples ?? []).length > 0 && <IconButton icon="search" label="Examples: ready rows" onClick={() => setLooking(READY)} />}<small>{share(build.ready ?? 0, total)} of all</small></dd></div>
        <div><dt>Thumbs up</dt><dd>{part(build.quality_rate)}<small>of those that were rated</small></dd></div>
        <div><dt>Personal data</dt><dd>{part(build.personal_data_rate)}<small>of all</small></dd></div>
        <div><dt>Duplicates</dt><dd>{part(build.duplicate_rate)}<small>of what was compared</small></dd></div>
        <div><dt>Until ready</dt><dd>{build.latency_s?.p50 == null ? "–" : duration(build.latency_s.p50)}<small>{build.latency_s?.p95 == null ? "" : `95 % within ${duration(build.latency_s.p95)}`}</small></dd></div>
      </dl>
      <div className="scroll" tabIndex={0} role="group" aria-label="Steps">
        <table className="table">
          <thead><tr><th>Step</th><th className="number">Rows</th><th className="wide wide-only">Left</th><th className="number">Dropped</th><th className="wide">Why</th><th className="tools"><span className="hidden">Examples</span></th></tr></thead>
          <tbody>
            {(build.steps ?? []).map((step) => {
              const left = step.before - step.dropped;
              const why = Object.entries(step.reasons).concat(Object.entries(step.found ?? {})).slice(0, 4);
              return (
                <tr key={step.name}>
                  <td><span title={step.about}>{step.name.replaceAll("_", " ")}</span>{!step.on && <> <Badge>off</Badge></>}</td>
                  <td className="number">{count(step.before)}</td>
                  <td className="wide wide-only"><span className="meter-row"><span className="meter" role="img" aria-label={`${count(left)} of ${count(total)} left`}><span style={{ width: `${(100 * left) / Math.max(1, total)}%` }} /></span></span></td>
                  <td className="number">{step.dropped ? count(step.dropped) : step.changed ? `${count(step.changed)} changed` : "–"}</td>
                  <td className="wide small muted">{why.map(([name, number]) => `${name} ${count(number)}`).join(", ")}</td>
                  <td className="nowrap">{(step.samples.length > 0 || Boolean(step.changed)) && <IconButton icon="search" label={`Examples: ${step.name}`} onClick={() => setLooking(step)} />}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      {looking && <Samples build={build.id} step={looking} onClose={() => setLooking(undefined)} />}
    </>
  );
}

function Samples({ build, step, onClose }: { build: string; step: Sampled; onClose: () => void }): ReactNode {
  const url = `/v1/lake/builds/${encodeURIComponent(build)}/samples?step=${encodeURIComponent(step.name)}`;
  const found = useResource(url, (signal) => get<List<StepSample>>(url, signal));
  return (
    <Dialog title={step.name.replaceAll("_", " ")} subtitle={step.about} onClose={onClose} actions={<Button onClick={onClose}>Close</Button>}>
      <Loaded of={found} what="Reading examples">
        {({ data }) =>
          data.length === 0 ? (
            <Empty icon="lake" title="No examples">Their texts were deleted, or are not visible to you.</Empty>
          ) : (
            <ul className="stack">
              {data.map((each) => (
                <li key={each.answer_id} className="card">
                  <div className="between"><span className="muted small">{moment(each.at)} <Link to={`${path("lake", "lineage")}?of=${encodeURIComponent(each.answer_id)}`}>rows</Link></span>{(each.reason || each.verdict) && <Badge tone={each.verdict === "good" ? "good" : undefined}>{each.reason || each.verdict}</Badge>}</div>
                  <p><Link to={path("traces", each.trace_id)}>{each.question || "(nothing)"}</Link></p>
                  <p className="muted small">{each.answer}</p>
                  {each.edited && <p className="small"><b>A person wrote instead:</b> {each.edited}</p>}
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Dialog>
  );
}
