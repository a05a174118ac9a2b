// What a judge's scores are worth: from which score people approve, and the approval of all answers.
import { useState, type ReactNode } from "react";
import { get } from "../../api/client";
import { at, type Estimate, type Population, type Queue, type Threshold } from "../../api/review";
import { count, percent } from "../../lib/format";
import { type Resource, useResource } from "../../lib/resource";
import { Choice } from "../../ui/controls";
import { Empty, Loaded, Note } from "../../ui/states";
import { OfQueue } from "./choose";

const WANTED = ["0.8", "0.9", "0.95"] as const;
type Wanted = (typeof WANTED)[number];
const within = (found: Estimate): string => `${percent(found.low)} to ${percent(found.high)}`;

export function CalibrationView(): ReactNode {
  const [wanted, setWanted] = useState<Wanted>("0.9");
  return (
    <OfQueue view="calibration" label="Calibration" tools={() => <Choice label="Wished approval" value={wanted} onChange={setWanted} options={WANTED.map((value) => ({ value, label: percent(Number(value)) }))} />}>
      {(queue) => <Of key={queue.id} queue={queue} wanted={wanted} />}
    </OfQueue>
  );
}

// What is not there yet is refused, and no failure.
const few = (found: Resource<unknown>): boolean => found.data === undefined && found.error?.status === 400;

function Of({ queue, wanted }: { queue: Queue; wanted: Wanted }): ReactNode {
  const url = `${at(queue.name)}/threshold?approval=${wanted}`;
  const threshold = useResource(url, (signal) => get<Threshold>(url, signal));
  const estimate = useResource(`estimate ${queue.id}`, (signal) => get<Population>(`${at(queue.name)}/estimate`, signal));
  return (
    <>
      {few(estimate) ? <Empty icon="review" title="Too few labels yet">Two answers of one kind have to be labelled before the approval of all can be estimated: under Label.</Empty> : <Loaded of={estimate} what="Estimating">{(found) => <Approval found={found} />}</Loaded>}
      {few(threshold) ? <Empty icon="review" title="No labelled answer was judged">Scores of judges are compared with people's labels here: <code>monitor.judging.share</code> has a share of the answers judged.</Empty> : <Loaded of={threshold} what="Comparing scores with labels">{(found) => <Curve found={found} />}</Loaded>}
    </>
  );
}

function Approval({ found }: { found: Population }): ReactNode {
  return (
    <>
      <dl className="figures large">
        <div><dt>Answers that people would approve</dt><dd>{percent(found.calibrated.value)}<small>{within(found.calibrated)}, calibrated{found.score && ` with ${found.score}`}</small></dd></div>
        <div><dt>By labels alone</dt><dd>{percent(found.labels_alone.value)}<small>{within(found.labels_alone)}, {count(found.labels_alone.n)} labels</small></dd></div>
        <div><dt>Of what was labelled</dt><dd>{percent(found.plain_mean)}<small>this is not an estimate: bad answers are reviewed more often</small></dd></div>
        <div><dt>Answers</dt><dd>{count(found.answers)}<small>{percent(found.covered)} are covered</small></dd></div>
      </dl>
      {found.dropped > 0 && <Note tone="warn">{`${count(found.dropped)} answers did not fit into the queue and are not part of the estimate.`}</Note>}
    </>
  );
}

function Curve({ found }: { found: Threshold }): ReactNode {
  const end = found.high === null ? "open" : found.high.toFixed(2);
  return (
    <section className="card stack" aria-label="Approval by score">
      <h2>{`Approval by ${found.score}`}</h2>
      {found.value === null ? (
        <p>{`${count(found.labels)} labels show no score from which on ${percent(found.wanted)} are approved.`}</p>
      ) : (
        <p>From <b>{found.value.toFixed(2)}</b> ({found.low?.toFixed(2)} to {end}) on, {percent(found.approval!)} are approved. That is {percent(found.coverage!)} of the answers, by {count(found.labels)} labels.</p>
      )}
      <Plot found={found} />
      <div className="scroll" tabIndex={0} role="group" aria-label="Approval by score as numbers">
        <table className="table">
          <thead><tr><th>Score</th><th className="number">Labels</th><th className="number">Approved</th><th className="number">95 % interval</th></tr></thead>
          <tbody>
            {found.curve.map((each) => (
              <tr key={each.low}><td>{`${each.low.toFixed(2)} to ${each.high.toFixed(2)}`}</td><td className="number">{count(each.approval.n)}</td><td className="number">{percent(each.approval.value)}</td><td className="number">{within(each.approval)}</td></tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

const WIDTH = 600;
const HEIGHT = 220;

function Plot({ found }: { found: Threshold }): ReactNode {
  const x = (score: number): number => 6 + score * (WIDTH - 12);
  const y = (share: number): number => HEIGHT - 6 - share * (HEIGHT - 12);
  const points = found.curve.map((each) => `${x(each.mean).toFixed(1)},${y(each.approval.value).toFixed(1)}`).join(" ");
  return (
    <svg className="review-curve" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`Approval by ${found.score}, from ${percent(found.curve[0]?.approval.value ?? 0)} at the lowest scores to ${percent(found.curve.at(-1)?.approval.value ?? 0)} at the highest`}>
      {[0, 0.25, 0.5, 0.75, 1].map((share) => <line key={share} className="grid" x1={0} x2={WIDTH} y1={y(share)} y2={y(share)} />)}
      <line className="wanted" x1={0} x2={WIDTH} y1={y(found.wanted)} y2={y(found.wanted)} />
      {found.value !== null && found.low !== null && <rect className="range" x={x(found.low)} width={Math.max(1, x(found.high ?? 1) - x(found.low))} y={0} height={HEIGHT} />}
      {found.value !== null && <line className="at" x1={x(found.value)} x2={x(found.value)} y1={0} y2={HEIGHT} />}
      {found.curve.map((each) => <line key={each.low} className="bar" x1={x(each.mean)} x2={x(each.mean)} y1={y(each.approval.low)} y2={y(each.approval.high)} />)}
      <polyline points={points} />
      {found.curve.map((each) => <circle key={each.low} cx={x(each.mean)} cy={y(each.approval.value)} r={3.5} />)}
    </svg>
  );
}
