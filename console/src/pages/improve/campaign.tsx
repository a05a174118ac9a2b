// One campaign: where it stands, what came of each recipe, and every decision with its figures.
import { useEffect, type ReactNode } from "react";
import { ApiError, get, may, post } from "../../api/client";
import { figured, OVER, tone, type Rung, type WholeCampaign } from "../../api/improve";
import { duration, moment } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { useMe } from "../../session";
import { Badge, Button, IconButton } from "../../ui/controls";
import { Loaded, Note } from "../../ui/states";
import { toast } from "../../ui/toast";
import { Made } from "./made";
import { Way } from "./way";

const EVERY_MS = 3000;
// Where what a campaign was made with is shown.
const LEADS: Record<string, string[]> = { comparison: ["experiments"], regression: ["experiments"], trial: ["trials"], export: ["exports"], job: ["train", "jobs"] };

export function CampaignView({ id }: { id: string }): ReactNode {
  const url = `/v1/improve/campaigns/${encodeURIComponent(id)}`;
  const found = useResource(url, (signal) => get<WholeCampaign>(url, signal));
  const admin = may(useMe(), "admin");
  const running = found.data !== undefined && !OVER.includes(found.data.stage);
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(() => document.hidden || found.reload(), EVERY_MS);
    return () => clearInterval(timer);
  }, [running, found.reload]);
  const stop = async (): Promise<void> => {
    try {
      await post(`${url}/stop`, {});
    } catch (error) {
      toast((error as ApiError).message);
    }
    found.reload();
  };
  return (
    <div className="page">
      <Loaded of={found} what="Reading the campaign">
        {(campaign) => (
          <>
            <header className="page-head">
              <div>
                <p className="small"><Link to={path("improve")}>Loop</Link></p>
                <h1 className="breaking">{campaign.application}</h1>
                <p className="muted small">{`Begun ${moment(campaign.created_at)}: ${campaign.trigger}, policy version ${campaign.policy_version}, ${duration(campaign.seconds)} of training`}</p>
              </div>
              <span className="row">
                {running && admin && campaign.stage !== "watching" && <Button icon="stop" onClick={() => void stop()}>Stop</Button>}
                <IconButton icon="refresh" label="Refresh" onClick={found.reload} disabled={found.loading} />
              </span>
            </header>
            <Note tone={campaign.stage === "promoted" ? "good" : tone(campaign.stage) === "bad" ? "bad" : "plain"}>
              <strong>{campaign.stage}</strong>{campaign.reason && `: ${campaign.reason}`}
            </Note>
            {campaign.stage === "waiting" && <Note>A person has to approve it before it gets any traffic. <Link to={path("approvals")}>Approvals</Link></Note>}
            <Stages of={campaign} />
            {campaign.rungs.length > 0 && <Rungs rungs={campaign.rungs} />}
            <Steps of={campaign} />
            <MadeWith of={campaign} />
          </>
        )}
      </Loaded>
    </div>
  );
}

function Stages({ of }: { of: WholeCampaign }): ReactNode {
  const seen = of.steps.filter((each) => each.rung === of.rung).map((each) => each.stage);
  return (
    <section className="stack" aria-label="Stages">
      <h2>{`Stages of ${of.recipe}`}</h2>
      <Way stages={of.stages} done={seen} />
    </section>
  );
}

function Rungs({ rungs }: { rungs: Rung[] }): ReactNode {
  return (
    <section className="stack" aria-label="Recipes">
      <h2>Recipes, the cheapest first</h2>
      <div className="scroll" tabIndex={0} role="group" aria-label="Result of each recipe">
        <table className="table">
          <thead><tr><th>Recipe</th><th>Outcome</th><th>Why</th><th>Figures</th><th>Made</th></tr></thead>
          <tbody>
            {rungs.map((each) => (
              <tr key={`${each.rung} ${each.at}`}>
                <td>{each.recipe}</td>
                <td><Badge tone={tone(each.outcome)}>{each.outcome}</Badge></td>
                <td>{each.reason || "–"}</td>
                <td className="small">{figured(each.figures) || "–"}</td>
                <td className="small"><Made version={each.version} candidate={each.candidate} /></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Steps({ of }: { of: WholeCampaign }): ReactNode {
  return (
    <section className="stack" aria-label="Decisions">
      <h2>Decisions</h2>
      <div className="scroll" tabIndex={0} role="group" aria-label="Decisions in their order">
        <table className="table compact">
          <thead><tr><th>When</th><th>To</th><th>Why</th><th>Figures</th><th>By</th></tr></thead>
          <tbody>
            {of.steps.map((each, place) => (
              <tr key={place}>
                <td className="nowrap">{moment(each.at)}</td>
                <td><Badge tone={tone(each.stage)}>{each.stage}</Badge></td>
                <td>{each.reason || "–"}</td>
                <td className="small">{figured(each.figures) || "–"}</td>
                <td className="breaking small">{each.by ?? "the loop"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function MadeWith({ of }: { of: WholeCampaign }): ReactNode {
  const made = Object.entries(of.made_with);
  if (made.length === 0) return null;
  return (
    <section className="stack" aria-label="Made with">
      <h2>Made with</h2>
      <dl className="pairs columns">
        {made.map(([name, id]) => (
          <div key={name}><dt>{name.replaceAll("_", " ")}</dt><dd className="breaking">{LEADS[name] ? <Link to={path(...LEADS[name], id)}>{id}</Link> : name === "approval" ? <Link to={path("approvals")}>{id}</Link> : name === "trained_on" ? <Link to={versionOf(id)}>{id}</Link> : id}</dd></div>
        ))}
      </dl>
    </section>
  );
}

// NAME@NUMBER of a data set.
function versionOf(id: string): string {
  const [name = "", version = ""] = id.split("@");
  return `${path("datasets", name)}?version=${version}`;
}
