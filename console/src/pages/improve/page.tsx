// The loop: what each application uses, what is tried out for it, and why it was promoted or refused.
import { useEffect, useState, type ReactNode } from "react";
import { ApiError, get, may, post } from "../../api/client";
import { OVER, tone, type Improved, type Placed } from "../../api/improve";
import type { List } from "../../api/types";
import { count, duration, moment, percent, plural } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Link, path, usePlace } from "../../lib/route";
import { useMe } from "../../session";
import { Badge, Button, IconButton } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";
import { toast } from "../../ui/toast";
import { CampaignView } from "./campaign";
import { LineageView } from "./lineage";
import { Made } from "./made";
import { PolicyDialog } from "./policy";
import { Undo } from "./undo";
import { Way } from "./way";

const EVERY_MS = 5000;

export default function ImprovePage(): ReactNode {
  const { rest } = usePlace();
  if (rest[0] === "lineage") return <LineageView />;
  return rest[0] ? <CampaignView key={rest[0]} id={rest[0]} /> : <Loop />;
}

function Loop(): ReactNode {
  const admin = may(useMe(), "admin");
  const [writing, setWriting] = useState(false);
  const found = useResource("/v1/improve", (signal) => get<List<Improved>>("/v1/improve", signal));
  useEffect(() => {
    const timer = setInterval(() => document.hidden || found.reload(), EVERY_MS);
    return () => clearInterval(timer);
  }, [found.reload]);
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <h1>Loop</h1>
          <p className="muted">Feedback produces a candidate, which is evaluated, tried on a part of the traffic, and promoted or refused.</p>
        </div>
        <span className="row">
          {admin && <Button icon="plus" onClick={() => setWriting(true)}>New policy</Button>}
          <Link to={path("improve", "lineage")} className="button plain">Lineage</Link>
          <IconButton icon="refresh" label="Refresh" onClick={found.reload} disabled={found.loading} />
        </span>
      </header>
      <Loaded of={found} what="Reading the loop">
        {({ data }) => data.length === 0 ? (
          <Empty icon="again" title="No application has a policy">An administrator sets one here, or with <code>mainspring improve policies set APPLICATION FILE</code></Empty>
        ) : (
          <>{data.map((each) => <Application key={each.application} of={each} onChange={found.reload} />)}</>
        )}
      </Loaded>
      {writing && <PolicyDialog onClose={() => setWriting(false)} onDone={() => { setWriting(false); found.reload(); }} />}
    </div>
  );
}

function Application({ of, onChange }: { of: Improved; onChange: () => void }): ReactNode {
  const admin = may(useMe(), "admin");
  const { policy, watched, placement, budget } = of;
  const under = of.campaigns.find((each) => !OVER.includes(each.stage));
  const [undoing, setUndoing] = useState(false);
  const [writing, setWriting] = useState(false);
  const begin = async (): Promise<void> => {
    try {
      await post(`/v1/improve/policies/${encodeURIComponent(of.application)}/run`, {});
      toast("The campaign has begun");
    } catch (error) {
      toast((error as ApiError).message);
    }
    onChange();
  };
  return (
    <section className="card stack" aria-label={of.application}>
      <div className="section-head">
        <h2 className="breaking">{of.application} {!policy.enabled && <Badge>people begin campaigns</Badge>}</h2>
        {admin && (
          <span className="row">
            <Button icon="play" onClick={() => void begin()}>Begin a campaign</Button>
            <Button icon="settings" onClick={() => setWriting(true)}>Policy</Button>
            {placement?.current && <Button icon="history" onClick={() => setUndoing(true)}>Undo the last promotion</Button>}
          </span>
        )}
      </div>
      <dl className="pairs columns">
        <div><dt>In use</dt><dd>{placement?.current ? <Shown of={placement.current} /> : "what the settings say"}</dd></div>
        {placement?.candidate && (
          <div><dt>Tried out</dt><dd><Shown of={placement.candidate} />{` ${placement.stage ?? ""}, ${percent(placement.share)} of the traffic${placement.since ? ` since ${moment(placement.since)}` : ""}`}</dd></div>
        )}
        <div><dt>Tries</dt><dd>{policy.policy.rungs.map((each) => each.recipe).join(", then ")}{policy.policy.gate && ", and a person decides"}</dd></div>
        <div><dt>Begins</dt><dd>{begins(of)}</dd></div>
        <div><dt>Training</dt><dd>{`${duration(budget.spent_s)} this month${budget.left_s === null ? "" : `, ${duration(Math.max(0, budget.left_s))} left`}`}</dd></div>
        {watched.rest_until !== null && watched.rest_until > Date.now() / 1000 && <div><dt>Rests until</dt><dd>{moment(watched.rest_until)}</dd></div>}
      </dl>
      {under && <div role="group" aria-label="Stages of the campaign under way"><Way stages={under.stages} /></div>}
      {of.campaigns.length > 0 && (
        <div className="scroll" tabIndex={0} role="group" aria-label={`Campaigns of ${of.application}`}>
          <table className="table">
            <thead><tr><th>Campaign</th><th>Begun by</th><th>Stands at</th><th>Why</th><th>Candidate</th></tr></thead>
            <tbody>
              {of.campaigns.map((each) => (
                <tr key={each.id}>
                  <td className="nowrap"><Link to={path("improve", each.id)}>{moment(each.created_at)}</Link></td>
                  <td>{each.trigger}</td>
                  <td><Badge tone={tone(each.stage)}>{each.stage}</Badge></td>
                  <td>{each.reason || "–"}</td>
                  <td className="breaking"><Made version={each.version} candidate={each.candidate} /></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {writing && <PolicyDialog of={of} onClose={() => setWriting(false)} onDone={() => { setWriting(false); onChange(); }} />}
      {undoing && <Undo application={of.application} onClose={() => setUndoing(false)} onDone={() => { setUndoing(false); onChange(); }} />}
    </section>
  );
}

function Shown({ of }: { of: Placed }): ReactNode {
  return <>{`${of.kind} `}<Made version={of.version} candidate={of.id} /></>;
}

function begins({ policy, watched }: Improved): string {
  const { feedback, drift, every_s } = policy.policy.watch;
  const said = [
    ...(feedback === null ? [] : [`after ${plural(feedback, "piece")} of feedback (${count(watched.fresh)} so far)`]),
    ...(drift ? ["when quality drifts"] : []),
    ...(every_s === null ? [] : [`every ${duration(every_s)}`]),
  ];
  return policy.enabled && said.length > 0 ? said.join(", or ") : "when a person starts it";
}
