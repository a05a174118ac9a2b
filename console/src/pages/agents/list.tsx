// All agents that the key may ask, and making one.
import { useState, type ReactNode } from "react";
import { may } from "../../api/client";
import type { Agent } from "../../api/agents";
import { everything } from "../../lib/everything";
import { useResource } from "../../lib/resource";
import { go, Link, path } from "../../lib/route";
import { useMe } from "../../session";
import { Badge, Button } from "../../ui/controls";
import { Dialog } from "../../ui/dialog";
import { Empty, Loaded } from "../../ui/states";
import { Editor } from "./editor";

export function AgentList(): ReactNode {
  const me = useMe();
  const agents = useResource("agents", (signal) => everything<Agent>("/v1/agents", signal));
  const [making, setMaking] = useState(false);
  const make = may(me, "agents") && <Button kind="primary" icon="plus" onClick={() => setMaking(true)}>New agent</Button>;
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <h1>Agents</h1>
          <p className="muted">Models with an instruction and tools. Any client asks them by their names, as models.</p>
        </div>
        {agents.data && agents.data.length > 0 && make}
      </header>
      <Loaded of={agents} what="Reading the agents">
        {(found) =>
          found.length === 0 ? (
            <Empty icon="agents" title="There are no agents yet" action={make}>Create them here or over HTTP, or name them in the configuration.</Empty>
          ) : (
            <div className="cards">
              {found.map((agent) => (
                <Link key={agent.id} to={path("agents", agent.id)} className="card card-link">
                  <span className="between"><strong className="breaking">{agent.id}</strong><Badge tone={agent.source === "api" ? "accent" : "plain"}>{agent.source === "api" ? `version ${agent.version}` : agent.source}</Badge></span>
                  <span className="muted small">{agent.description || String(agent.definition?.["instruction"] ?? "").slice(0, 160) || "No description."}</span>
                </Link>
              ))}
            </div>
          )
        }
      </Loaded>
      {making && (
        <Dialog title="New agent" subtitle="It answers under its name immediately." wide onClose={() => setMaking(false)}>
          <Editor definition={{ name: "", description: "", instruction: "" }} onSaved={(agent) => go(path("agents", agent.id))} />
        </Dialog>
      )}
    </div>
  );
}
