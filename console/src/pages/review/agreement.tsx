// Whether people agree, how that goes over time, and what each reviewer did.
import type { ReactNode } from "react";
import { get } from "../../api/client";
import { at, type Agreement, type Estimate, type Places, type Queue, type Reviewer } from "../../api/review";
import type { List } from "../../api/types";
import { count, moment, percent, plural, share } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Line } from "../../ui/chart";
import { Badge } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";
import { OfQueue } from "./choose";

export const between = (found: Estimate): string => `${found.value.toFixed(2)} (${found.low.toFixed(2)} to ${found.high.toFixed(2)})`;

export function AgreementView(): ReactNode {
  return <OfQueue view="agreement" label="Agreement">{(queue) => <Of key={queue.id} queue={queue} />}</OfQueue>;
}

function Of({ queue }: { queue: Queue }): ReactNode {
  const agreement = useResource(`agreement ${queue.id}`, (signal) => get<Agreement>(`${at(queue.name)}/agreement`, signal));
  const reviewers = useResource(`reviewers ${queue.id}`, (signal) => get<List<Partial<Reviewer> & Partial<Places>>>(`${at(queue.name)}/reviewers`, signal));
  return (
    <>
      <Loaded of={agreement} what="Comparing labels">{(found) => <Criteria found={found} />}</Loaded>
      <Loaded of={reviewers} what="Reading labels">{({ data }) => <><Reviewers rows={data.filter((each): each is Reviewer => each.by !== undefined && (each.labels ?? 0) > 0)} /><Assigned rows={data.filter((each): each is Places => each.reviewer !== undefined)} /></>}</Loaded>
      <Loaded of={agreement}>{(found) => <Pairs found={found} />}</Loaded>
    </>
  );
}

// Krippendorff's own bounds.
function Worth({ alpha }: { alpha: Estimate }): ReactNode {
  if (alpha.value >= 0.8) return <Badge tone="good">reliable</Badge>;
  return alpha.value >= 0.667 ? <Badge tone="warn">tentative</Badge> : <Badge tone="bad">not reliable</Badge>;
}

function Criteria({ found }: { found: Agreement }): ReactNode {
  if (found.double_items === 0) return <Empty icon="review" title="Nobody's labels can be compared yet">{`${plural(found.labels, "label")}, and no answer has two. A queue's share of double labels says how many get a second one.`}</Empty>;
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label="Agreement by criterion">
      <table className="table">
        <thead><tr><th>Criterion</th><th>Alpha with its 95 % interval</th><th>Worth</th><th className="number">Answers</th><th className="wide">Over time</th></tr></thead>
        <tbody>
          {found.criteria.map((each) => (
            <tr key={each.name}>
              <td>{each.name}</td>
              <td>{each.alpha ? between(each.alpha) : "–"}</td>
              <td>{each.alpha && <Worth alpha={each.alpha} />}</td>
              <td className="number">{each.alpha ? count(each.alpha.n) : "–"}</td>
              <td className="wide over-time">{each.course.length > 1 && <span title={`${moment(each.course[0]!.since)} to ${moment(each.course.at(-1)!.until)}`}><Line label={each.name} values={each.course.map((part) => Math.max(0, part.value))} format={(value) => value.toFixed(2)} max={1} /></span>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Reviewers({ rows }: { rows: Reviewer[] }): ReactNode {
  if (rows.length === 0) return null;
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label="Reviewers">
      <table className="table">
        <thead><tr><th>Reviewer</th><th className="number">Labels</th><th className="number">Approved</th><th className="number">Seconds</th><th className="number">Agrees with the other</th><th className="number">Overruled</th></tr></thead>
        <tbody>
          {rows.map((each) => (
            <tr key={each.by}>
              <td className="breaking">{each.by}</td>
              <td className="number">{count(each.labels)}</td>
              <td className="number">{percent(each.approved.value)}</td>
              <td className="number">{each.median_seconds ?? "–"}</td>
              <td className="number">{each.compared > 0 ? `${share(each.agreed, each.compared)} of ${each.compared}` : "–"}</td>
              <td className="number">{each.decided > 0 ? `${each.overruled} of ${each.decided}` : "–"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

// Whom the queue waits for.
function Assigned({ rows }: { rows: Places[] }): ReactNode {
  if (rows.length === 0) return null;
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label="Places of reviewers">
      <table className="table">
        <thead><tr><th>Reviewer</th><th className="number">Assigned</th><th className="number">At work</th><th className="number">Given</th><th className="number">Skipped</th><th className="number">Overdue</th></tr></thead>
        <tbody>
          {rows.map((each) => (
            <tr key={each.reviewer}>
              <td className="breaking">{each.reviewer}{each.named && <> <Badge>named</Badge></>}</td>
              <td className="number">{count(each.assigned)}</td>
              <td className="number">{count(each.leased)}</td>
              <td className="number">{count(each.given)}</td>
              <td className="number">{count(each.skipped)}</td>
              <td className="number">{each.overdue > 0 ? <Badge tone="bad">{count(each.overdue)}</Badge> : 0}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Pairs({ found }: { found: Agreement }): ReactNode {
  if (found.pairs.length === 0) return null;
  const names = found.criteria.map((each) => each.name);
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label="Pairs of reviewers">
      <table className="table">
        <thead><tr><th>Pair</th><th className="number">Answers</th>{names.map((name) => <th key={name} className="number">{`Kappa: ${name}`}</th>)}</tr></thead>
        <tbody>
          {found.pairs.map((each) => (
            <tr key={each.reviewers.join()}>
              <td className="breaking">{each.reviewers.join(" and ")}</td>
              <td className="number">{count(each.items)}</td>
              {names.map((name) => {
                const pair = each.criteria[name];
                return <td key={name} className="number" title={pair && `equal ${percent(pair.agreement)}, the commonest label ${percent(pair.base_rate)}`}>{pair?.kappa == null ? "–" : pair.kappa.toFixed(2)}</td>;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
