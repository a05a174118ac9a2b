// Settings: keys, limits, and what is served.
import type { ReactNode } from "react";
import { get } from "../../api/client";
import type { Limits, List, Model, Preset, Rates } from "../../api/types";
import { count } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Badge } from "../../ui/controls";
import { Loaded } from "../../ui/states";
import { Tabbed, type View } from "../../ui/tabbed";
import { AuditLog } from "./audit";
import { KeyTable } from "./keys";
import { PolicyList } from "./policies";

const VIEWS: View[] = [
  { name: "keys", title: "Keys", view: () => <KeyTable /> },
  { name: "limits", title: "Limits", view: () => <LimitTable /> },
  { name: "models", title: "Models", view: () => <ModelTable /> },
  { name: "policies", title: "Policies", view: () => <PolicyList /> },
  { name: "audit", title: "Audit log", view: () => <AuditLog /> },
];

export default function SettingsPage(): ReactNode {
  return <Tabbed page="settings" title="Settings" about="Who may ask, how much, what answers, under which rules, and what was done." views={VIEWS} />;
}

function LimitTable(): ReactNode {
  const limits = useResource("limits", (signal) => get<Limits>("/v1/limits", signal));
  return (
    <Loaded of={limits}>
      {(found) => (
        <section className="stack" aria-label="Limits">
          <p className="muted">What one key may ask for. They are set in <code>mainspring.yaml</code> under <code>serving</code>.</p>
          <div className="scroll" tabIndex={0} role="group" aria-label="Limits">
            <table className="table">
              <thead><tr><th>Keys</th><th className="number">Requests per minute</th><th className="number">Tokens per minute</th><th className="number">Requests per day</th></tr></thead>
              <tbody>
                <LimitRow name="default" rates={found.default} />
                {Object.entries(found.tiers).map(([name, rates]) => <LimitRow key={name} name={`tier ${name}`} rates={rates} />)}
              </tbody>
            </table>
          </div>
          <p className="muted">An answer has at most {count(found.max_output_tokens)} tokens, and {count(found.default_output_tokens)} where the request names no number.</p>
        </section>
      )}
    </Loaded>
  );
}

function limit(value: number): string {
  return value === 0 ? "no limit" : count(value);
}

function LimitRow({ name, rates }: { name: string; rates: Rates }): ReactNode {
  return (
    <tr>
      <td>{name}</td>
      <td className="number">{limit(rates.requests_per_minute)}</td>
      <td className="number">{limit(rates.tokens_per_minute)}</td>
      <td className="number">{limit(rates.requests_per_day)}</td>
    </tr>
  );
}

interface Coming {
  id: string;
  state: "waiting" | "pulling" | "loading" | "served" | "failed";
  stage: string;
  done: number;
  total: number;
  detail: string;
}

function progress(model: Coming): string {
  if (model.state === "pulling") return `being pulled: ${model.stage}${model.total ? ` ${Math.floor((100 * model.done) / model.total)} %` : ""}`;
  if (model.state === "failed") return `could not be brought in: ${model.detail}`;
  return model.state === "loading" ? "being loaded" : "waits for its turn";
}

const KINDS: Record<string, string> = { chat: "writes text", embedding: "embeds text", reranker: "orders passages", application: "application", collection: "collection of documents" };

function ModelTable(): ReactNode {
  const models = useResource("models and presets", async (signal) => {
    const [served, presets] = await Promise.all([get<List<Model> & { coming?: Coming[] }>("/v1/models", signal), get<List<Preset>>("/v1/presets", signal)]);
    return { served: served.data, coming: served.coming ?? [], presets: presets.data };
  });
  return (
    <Loaded of={models}>
      {(found) => (
        <>
          <section className="stack" aria-label="Served">
            <h2>What can be asked</h2>
            <div className="scroll" tabIndex={0} role="group" aria-label="Served">
              <table className="table">
                <thead><tr><th>Name</th><th>What it is</th></tr></thead>
                <tbody>{found.served.map((model) => <tr key={model.id}><td>{model.id}</td><td><Badge>{KINDS[model.kind] ?? model.kind}</Badge></td></tr>)}{found.coming.map((model) => <tr key={model.id}><td>{model.id}</td><td>{progress(model)}</td></tr>)}</tbody>
              </table>
            </div>
          </section>
          <section className="stack" aria-label="Presets">
            <h2>Presets</h2>
            <div className="scroll" tabIndex={0} role="group" aria-label="Presets">
              <table className="table">
                <thead><tr><th>Name</th><th>For</th><th>Sets</th></tr></thead>
                <tbody>
                  {found.presets.map((preset) => (
                    <tr key={preset.id}><td>{preset.id}</td><td>{preset.description}</td><td className="nowrap">{Object.entries(preset.sampling).map(([name, value]) => `${name} ${value}`).join(", ")}</td></tr>
                  ))}
                </tbody>
              </table>
            </div>
          </section>
        </>
      )}
    </Loaded>
  );
}
