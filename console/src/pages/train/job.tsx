// One job: its curves as they grow, what the model wrote before and after, and what happened.
import { useEffect, useRef, useState, type ReactNode } from "react";
import { ApiError, get, post, remove } from "../../api/client";
import { beforeAndAfter, curves, digits, OVER, type Point, type Sample, type TrainingJob } from "../../api/train";
import type { List } from "../../api/types";
import { count, duration, moment, plural } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { go, Link, path } from "../../lib/route";
import { Button, IconButton } from "../../ui/controls";
import { Dialog } from "../../ui/dialog";
import { Loaded, Note } from "../../ui/states";
import { toast } from "../../ui/toast";
import { Curve } from "./curve";
import { Status } from "./status";

const EVERY_MS = 2000;
// What a job that works was asked for, and does after its next checkpoint.
const WISHES: Record<string, string> = { pause: "pauses after a checkpoint", cancel: "is being cancelled", erased: "ends, since rows of it were erased" };

interface Grown extends List<Point> {
  next: number;
}

export function JobView({ id }: { id: string }): ReactNode {
  const url = `/v1/training/jobs/${encodeURIComponent(id)}`;
  const job = useResource(url, (signal) => get<TrainingJob>(url, signal));
  const running = job.data !== undefined && !OVER.includes(job.data.status);
  const [deleting, setDeleting] = useState(false);
  const [cancelling, setCancelling] = useState(false);
  const erase = async (): Promise<void> => {
    try {
      await remove(url);
      go(path("train", "jobs"));
    } catch (error) {
      toast((error as ApiError).message);
    }
  };
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(() => document.hidden || job.reload(), EVERY_MS);
    return () => clearInterval(timer);
  }, [running, job.reload]);
  const act = async (what: string): Promise<void> => {
    try {
      await post(`${url}/${what}`, {});
    } catch (error) {
      toast((error as ApiError).message);
    }
    job.reload();
  };
  return (
    <div className="page">
      <Loaded of={job} what="Reading the job">
        {(found) => (
          <>
            <header className="page-head">
              <div>
                <p className="small"><Link to={path("train", "jobs")}>Training</Link></p>
                <h1 className="breaking">{found.name}</h1>
                <p className="muted small"><Status status={found.status} />{found.wish ? `, ${WISHES[found.wish] ?? found.wish}` : ""}{` ${found.recipe}, step ${count(found.step)}, ${duration(found.seconds)}`}{found.version && <>{", made "}<Link to={path("train", "models", found.version)}>{found.version}</Link></>}</p>
              </div>
              <span className="row">
                {found.status === "running" && <Button icon="pause" disabled={found.wish !== null} onClick={() => void act("pause")}>Pause</Button>}
                {(found.status === "paused" || found.status === "failed") && <Button icon="play" onClick={() => void act("resume")}>Go on</Button>}
                {running && <Button icon="stop" disabled={found.wish === "cancel"} onClick={() => setCancelling(true)}>Cancel</Button>}
                {!running && <Button icon="trash" onClick={() => setDeleting(true)}>Delete</Button>}
                <IconButton icon="refresh" label="Refresh" onClick={job.reload} disabled={job.loading} />
              </span>
            </header>
            {found.error && <Note tone="bad">{[found.error.message, found.error.remedy].filter(Boolean).join(". ")}</Note>}
            <Asked of={found} />
            <Curves url={url} running={running} />
            <Samples url={url} step={found.step} />
            <Happened url={url} step={found.step} status={found.status} />
            {cancelling && (
              <Dialog title="Cancel the job" onClose={() => setCancelling(false)}>
                <div className="stack"><p>It ends for good: its rows and checkpoints are deleted, and it makes no version. Pause it to go on later.</p><div className="row"><Button kind="primary" onClick={() => { setCancelling(false); void act("cancel"); }}>End it</Button></div></div>
              </Dialog>
            )}
            {deleting && (
              <Dialog title="Delete the job" onClose={() => setDeleting(false)}>
                <div className="stack"><p>{`Its rows, curves, samples and checkpoints are deleted. ${found.version ? `${found.version} stays.` : "It cannot go on."}`}</p><div className="row"><Button kind="primary" onClick={() => void erase()}>Delete</Button></div></div>
              </Dialog>
            )}
          </>
        )}
      </Loaded>
    </div>
  );
}

function Asked({ of }: { of: TrainingJob }): ReactNode {
  const { data, limits } = of;
  const rows = Object.entries(data.sides ?? {}).map(([side, { rows: many }]) => `${count(many)} ${side}`).join(", ");
  const bounds = [limits.seconds === null ? "" : duration(limits.seconds), limits.usd === null ? "" : `$${limits.usd}`, limits.night ? "at night" : ""].filter(Boolean).join(", ");
  const options = Object.entries(of.options).map(([name, value]) => `${name} ${typeof value === "string" ? value : JSON.stringify(value)}`).join(", ");
  return (
    <dl className="pairs columns card">
      <div><dt>Begun</dt><dd>{of.started_at ? moment(of.started_at) : `asked for ${moment(of.created_at)}`}</dd></div>
      <div><dt>Base</dt><dd className="breaking">{of.base ?? "nothing"}</dd></div>
      <div><dt>Rows</dt><dd>{rows || "–"}</dd></div>
      <div><dt>Data</dt><dd className="breaking">{of.export ? <Link to={path("exports", of.export)}>{of.export}</Link> : data.source ?? "–"}</dd></div>
      <div><dt>Options</dt><dd>{options || "as the recipe says"}</dd></div>
      <div><dt>Bounds</dt><dd>{bounds || "none"}</dd></div>
      <div><dt>Seed</dt><dd>{of.seed}</dd></div>
    </dl>
  );
}

function Curves({ url, running }: { url: string; running: boolean }): ReactNode {
  const [points, setPoints] = useState<Point[]>([]);
  const next = useRef(-1);
  useEffect(() => {
    const stopping = new AbortController();
    // Only what is new is read.
    const read = async (): Promise<void> => {
      try {
        for (let more = true; more; ) {
          const found = await get<Grown>(`${url}/metrics?after=${next.current}`, stopping.signal);
          next.current = found.next;
          if (found.data.length > 0) setPoints((old) => [...old, ...found.data]);
          more = found.has_more === true && found.data.length > 0;
        }
      } catch {
        // The next look reads it.
      }
    };
    void read();
    const timer = running ? setInterval(() => document.hidden || void read(), EVERY_MS) : undefined;
    return () => {
      stopping.abort();
      clearInterval(timer);
    };
  }, [url, running]);
  const shown = curves(points);
  if (shown.length === 0) return null;
  return (
    <section className="stack" aria-label="Curves">
      <h2>Curves</h2>
      <div className="cards">
        {shown.map(([name, values]) => (
          <figure key={name} className="card chart-card" aria-label={name}>
            <figcaption className="between"><span>{name.replaceAll("_", " ")}</span><strong>{digits(values.at(-1)!.value)}</strong></figcaption>
            <Curve label={name} values={values} />
          </figure>
        ))}
      </div>
    </section>
  );
}

function Samples({ url, step }: { url: string; step: number }): ReactNode {
  const found = useResource(`${url}/samples ${step}`, (signal) => get<List<Sample>>(`${url}/samples?ends=true&limit=1000`, signal));
  const samples = beforeAndAfter(found.data?.data ?? []);
  if (samples.length === 0) return null;
  return (
    <section className="stack" aria-label="Samples">
      <h2>Sample answers before and after</h2>
      <ul className="stack">
        {samples.map(({ prompt, first, last }) => (
          <li key={prompt} className="card stack">
            <p><strong>{prompt}</strong></p>
            <div className="side-by-side">
              {(first === last ? [first] : [first, last]).map((each, place) => (
                <div key={place} className="stack"><p className="muted small">{`After ${plural(each.step, "step")}`}</p><p className="replay-text">{each.text}</p></div>
              ))}
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Happened({ url, step, status }: { url: string; step: number; status: string }): ReactNode {
  const events = useResource(`${url}/events ${status}`, (signal) => get<List<{ id: string; at: number; level: string; message: string }>>(`${url}/events`, signal));
  const log = useResource(`${url}/log ${status} ${step}`, (signal) => get<{ text: string }>(`${url}/log`, signal));
  return (
    <section className="stack" aria-label="What happened">
      <h2>What happened</h2>
      <ol className="plain-list">
        {events.data?.data.map((each) => <li key={each.id}><span className="muted small nowrap">{moment(each.at)}</span> {each.message}</li>)}
      </ol>
      {log.data?.text && <details><summary>Log of the process</summary><pre className="wrapped" tabIndex={0}>{log.data.text}</pre></details>}
    </section>
  );
}
