// One online experiment: the verdict in words, the arms, their differences over time, and decisions.
import { useState, type ReactNode } from "react";
import { ApiError, get, may, post } from "../../api/client";
import type { Arm, Interval, Verdict } from "../../api/trials";
import { count, moment, percent } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { useMe } from "../../session";
import { Badge, Button, IconButton } from "../../ui/controls";
import { Dialog } from "../../ui/dialog";
import { Loaded, Note } from "../../ui/states";
import { toast } from "../../ui/toast";

const TONES = { broken: "bad", held: "good", open: "plain" } as const;

export function TrialView({ name }: { name: string }): ReactNode {
  const url = `/v1/trials/${encodeURIComponent(name)}`;
  const found = useResource(url, (signal) => get<Verdict>(url, signal));
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <p className="muted small"><Link to={path("trials")}>Online experiments</Link></p>
          <h1 className="breaking">{name}</h1>
        </div>
        <IconButton icon="refresh" label="Refresh" onClick={found.reload} disabled={found.loading} />
      </header>
      <Loaded of={found} what="Judging the arms">{(trial) => <Shown trial={trial} url={url} onChange={found.reload} />}</Loaded>
    </div>
  );
}

function Shown({ trial, url, onChange }: { trial: Verdict; url: string; onChange: () => void }): ReactNode {
  const admin = may(useMe(), "admin");
  const [ending, setEnding] = useState(false);
  const { control, route, alpha } = trial.definition;
  return (
    <section className="stack" aria-label="Verdict">
      <Note tone={!trial.sound ? "bad" : trial.best ? "good" : "plain"}>{trial.verdict}</Note>
      <p className="muted">{`Route ${route}, by ${trial.metric}, a unit is one ${trial.unit}. ${count(trial.waiting)} units are not yet over${trial.moved > 0 ? `, ${count(trial.moved)} were seen in two arms` : ""}. At most ${percent(alpha)} of such trials ever name a wrong arm.`}</p>
      <div className="scroll" tabIndex={0} role="group" aria-label="Arms">
        <table className="table">
          <thead><tr><th>Arm</th><th className="number">Weight</th><th className="number">Units</th><th className="number">Success</th><th className="number">Difference</th><th>Guards</th><th>State</th></tr></thead>
          <tbody>
            {trial.arms.map((arm) => (
              <tr key={arm.name}>
                <td className="breaking">{arm.name}{arm.name === control && <> <Badge>control</Badge></>}</td>
                <td className="number">{trial.weights[arm.name] ?? 0}</td>
                <td className="number">{count(arm.units)}</td>
                <td className="number">{arm.rate === null ? "–" : percent(arm.rate)}</td>
                <td className="number nowrap">{arm.sequence.length === 0 ? "–" : points(arm.sequence.at(-1)!)}</td>
                <td>{arm.guards.map((each) => <Badge key={each.metric} tone={TONES[each.state]}>{`${each.metric}: ${each.state}`}</Badge>)}</td>
                <td className="nowrap">{state(trial, arm)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {trial.arms.filter((arm) => arm.sequence.length > 1).map((arm) => <Course key={arm.name} arm={arm} control={control} />)}
      {admin && trial.status === "running" && <div className="row"><Button onClick={() => setEnding(true)}>End it</Button></div>}
      {ending && <End trial={trial} url={url} onClose={() => setEnding(false)} onDone={() => {
        setEnding(false);
        onChange();
      }} />}
    </section>
  );
}

function state(trial: Verdict, arm: Arm): ReactNode {
  if (trial.winner === arm.name) return <Badge tone="good">all traffic</Badge>;
  const dropped = trial.dropped[arm.name];
  if (dropped) return <Badge tone="bad">{dropped}</Badge>;
  const most = Math.max(0, ...Object.values(arm.evidence));
  return most >= 1 ? <Badge tone="accent">shown better</Badge> : <span className="muted small">{`${percent(most)} of what shows it`}</span>;
}

function points(found: Interval): string {
  const said = (value: number | null): string => (value === null ? "?" : `${value > 0 ? "+" : ""}${(100 * value).toFixed(1)}`);
  return `${said(found.value)} [${said(found.low)}, ${said(found.high)}]`;
}

const WIDTH = 600;
const HEIGHT = 140;

// The difference of an arm to the control over the units seen, with the interval that holds at all times at once.
function Course({ arm, control }: { arm: Arm; control: string }): ReactNode {
  const seen = arm.sequence;
  const widest = Math.max(...seen.slice(Math.floor(seen.length / 3)).flatMap((each) => [Math.abs(each.low ?? 0), Math.abs(each.high ?? 0)]), 0.01);
  // From the first unit on: there is nothing before it.
  const first = Math.log(seen[0]!.n);
  const x = (n: number): number => (WIDTH * (Math.log(n) - first)) / (Math.log(seen.at(-1)!.n) - first);
  const y = (value: number): number => HEIGHT / 2 - (Math.max(-1.2, Math.min(1.2, value / widest)) * HEIGHT) / 2.4;
  const edge = (pick: "low" | "high" | "value"): string[] => seen.map((each) => `${x(each.n).toFixed(1)},${y(each[pick] ?? 0).toFixed(1)}`);
  const last = seen.at(-1)!;
  return (
    <figure className="card stack" aria-label={`${arm.name} against ${control}`}>
      <figcaption className="between"><h2>{`${arm.name} less ${control}`}</h2><span className="muted small">{`${points(last)} points after ${count(last.n)} units of each, ${moment(last.at)}`}</span></figcaption>
      <svg className="course" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={`Difference over time: now ${points(last)} points`}>
        <polygon className="area" points={[...edge("low"), ...edge("high").reverse()].join(" ")} />
        <line className="grid" x1="0" x2={WIDTH} y1={y(0)} y2={y(0)} />
        <polyline points={edge("value").join(" ")} />
      </svg>
    </figure>
  );
}

function End({ trial, url, onClose, onDone }: { trial: Verdict; url: string; onClose: () => void; onDone: () => void }): ReactNode {
  const [arm, setArm] = useState(trial.best ?? "");
  const end = async (): Promise<void> => {
    try {
      await post(`${url}/end`, { promote: arm });
      onDone();
    } catch (error) {
      toast((error as ApiError).message);
    }
  };
  return (
    <Dialog title="End the experiment" onClose={onClose}>
      <div className="stack">
        <label>Traffic from now on{" "}
          <select className="short" value={arm} onChange={(event) => setArm(event.target.value)}>
            <option value="">as the route says</option>
            {trial.arms.map((each) => <option key={each.name} value={each.name}>{`all to ${each.name}`}</option>)}
          </select>
        </label>
        <div className="row"><Button kind="primary" onClick={() => void end()}>End it</Button></div>
      </div>
    </Dialog>
  );
}
