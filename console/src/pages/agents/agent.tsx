// One agent: its definition, which is changed here if it is the tenant's own, its versions, and trying it.
import { dump } from "js-yaml";
import { useState, type ReactNode } from "react";
import { ApiError, get, may, post, remove } from "../../api/client";
import { agentUrl, type Agent } from "../../api/agents";
import type { List } from "../../api/types";
import { moment } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { go, Link, path } from "../../lib/route";
import { useMe } from "../../session";
import { Badge, Button, Choice } from "../../ui/controls";
import { Confirm } from "../../ui/dialog";
import { Icon } from "../../ui/icon";
import { Loaded, Note } from "../../ui/states";
import { toast } from "../../ui/toast";
import { Editor } from "./editor";
import { Trial } from "./trial";

type Shown = "definition" | "versions" | "trial";

export function AgentView({ name }: { name: string }): ReactNode {
  const me = useMe();
  const url = agentUrl(name);
  const agent = useResource(url, (signal) => get<Agent>(url, signal));
  const [shown, setShown] = useState<Shown>("definition");
  const [deleting, setDeleting] = useState(false);
  const drop = async (): Promise<void> => {
    try {
      await remove(url);
      toast("The agent is deleted");
      go(path("agents"));
    } catch (error) {
      toast((error as ApiError).message);
      setDeleting(false);
    }
  };
  return (
    <div className="page">
      <Loaded of={agent} what="Opening the agent">
        {(found) => {
          const own = found.source === "api";
          const editable = own && may(me, "agents");
          return (
            <>
              <header className="page-head">
                <div>
                  <Link to={path("agents")} className="back"><Icon name="left" size={15} />Agents</Link>
                  <h1 className="row wraps">{found.id} <Badge tone={own ? "accent" : "plain"}>{own ? `version ${found.version}` : found.source}</Badge></h1>
                  {found.description && <p className="muted">{found.description}</p>}
                </div>
                <div className="row wraps">
                  <Link to={`${path("runs")}?agent=${encodeURIComponent(found.id)}`}>Its runs</Link>
                  {editable && <Button icon="trash" onClick={() => setDeleting(true)}>Delete</Button>}
                </div>
              </header>
              <div>
                <Choice label="Show" value={shown} onChange={setShown} options={[{ value: "definition", label: "Definition" }, ...(editable ? [{ value: "versions" as const, label: "Versions" }] : []), { value: "trial", label: "Try it" }]} />
              </div>
              {shown === "definition" && <Defined key={String(found.version)} agent={found} editable={editable} onSaved={agent.reload} />}
              {shown === "versions" && <Versions agent={found} onRestored={agent.reload} />}
              {shown === "trial" && <Trial name={found.id} />}
            </>
          );
        }}
      </Loaded>
      {deleting && (
        <Confirm title={`Delete ${name}?`} verb="Delete" onYes={() => void drop()} onClose={() => setDeleting(false)}>
          <p>It is deleted with all its versions, and cannot be asked any more. Its runs stay.</p>
        </Confirm>
      )}
    </div>
  );
}

function Defined({ agent, editable, onSaved }: { agent: Agent; editable: boolean; onSaved: () => void }): ReactNode {
  if (editable) return <section className="card" aria-label="Definition"><Editor definition={agent.definition!} seen={Number(agent.version)} onSaved={onSaved} /></section>;
  return (
    <section className="stack" aria-label="Definition">
      {agent.source === "api" ? <Note>A key with the scope `agents` changes it.</Note> : <Note>{`It comes from the server's ${agent.source}, and is changed there.`}</Note>}
      {agent.definition ? <pre className="wrapped" tabIndex={0} aria-label="Definition as YAML">{dump(agent.definition, { lineWidth: 100 })}</pre> : <p className="muted">It is written in Python.</p>}
    </section>
  );
}

function Versions({ agent, onRestored }: { agent: Agent; onRestored: () => void }): ReactNode {
  const url = `${agentUrl(agent.id)}/versions`;
  const versions = useResource(`${url}#${agent.version}`, (signal) => get<List<Agent>>(url, signal));
  const restore = async (version: number | string): Promise<void> => {
    try {
      const made = await post<Agent>(`${agentUrl(agent.id)}/restore`, { version });
      toast(`Version ${made.version} says what version ${version} said`);
    } catch (error) {
      toast((error as ApiError).message);
    }
    onRestored();
  };
  return (
    <Loaded of={versions} what="Reading the versions">
      {(found) => (
        <ul className="stack" aria-label="Versions">
          {found.data.map((each) => (
            <li key={each.version} className="card stack">
              <div className="between">
                <div className="row wraps"><h2>Version {each.version}</h2>{each.version === agent.version && <Badge tone="good">served</Badge>}{each.note && <span>“{each.note}”</span>}</div>
                <span className="muted small">{each.created_at !== undefined && moment(each.created_at)} · {each.created_by}</span>
              </div>
              <details><summary>Definition<span className="hidden"> of version {each.version}</span></summary><pre className="wrapped" tabIndex={0} aria-label={`Definition of version ${each.version}`}>{JSON.stringify(each.definition, null, 2)}</pre></details>
              {each.version !== agent.version && <div><Button icon="history" aria-label={`Restore version ${each.version}`} onClick={() => void restore(each.version)}>Restore</Button></div>}
            </li>
          ))}
        </ul>
      )}
    </Loaded>
  );
}
