// All prompts of the tenant, where their labels point, and beginning one.
import { useState, type ReactNode } from "react";
import type { PromptInfo } from "../../api/prompts";
import { everything } from "../../lib/everything";
import { day } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { go, Link, path } from "../../lib/route";
import { Badge, Button } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";
import { VersionEditor } from "./editor";

export function PromptList(): ReactNode {
  const prompts = useResource("prompts", (signal) => everything<PromptInfo>("/v1/prompts", signal));
  const [making, setMaking] = useState(false);
  const make = <Button kind="primary" icon="plus" onClick={() => setMaking(true)}>New prompt</Button>;
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <h1>Prompts</h1>
          <p className="muted">Prompts have versions. Requests and settings name a prompt by its label, and a label can move without a deployment.</p>
        </div>
        {prompts.data && prompts.data.length > 0 && make}
      </header>
      <Loaded of={prompts} what="Reading the prompts">
        {(found) =>
          found.length === 0 ? (
            <Empty icon="prompts" title="There are no prompts yet" action={make}>
              A prompt has versions that never change, and labels such as <code>production</code> that point to one of them.
            </Empty>
          ) : (
            <div className="scroll" tabIndex={0} role="group" aria-label="Prompts">
              <table className="table">
                <thead><tr><th>Prompt</th><th>Labels</th><th className="number">Latest</th><th className="number">Versions</th><th>Created</th></tr></thead>
                <tbody>
                  {found.map((prompt) => (
                    <tr key={prompt.id}>
                      <td><Link to={path("prompts", prompt.id)}>{prompt.id}</Link></td>
                      <td>
                        <span className="row">
                          {Object.entries(prompt.labels).map(([label, at]) => <Badge key={label} tone="accent">{label} → {at.version}</Badge>)}
                          {Object.keys(prompt.labels).length === 0 && "–"}
                        </span>
                      </td>
                      <td className="number">{prompt.latest}</td>
                      <td className="number">{prompt.count}</td>
                      <td className="nowrap">{day(prompt.created_at)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Loaded>
      {making && <VersionEditor onClose={() => setMaking(false)} onMade={(made) => go(path("prompts", made.name))} />}
    </div>
  );
}
