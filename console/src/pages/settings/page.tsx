// Settings: keys, limits, and what is served.
import type { ReactNode } from "react";
import { get } from "../../api/client";
import type { Limits, List, Models, Preset, Quota, Rates } from "../../api/types";
import { bytes, count, share } from "../../lib/format";
import { progress } from "../../lib/coming";
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
  return <Tabbed page="settings" title="Settings" about="Keys, limits, models, policies and the audit log." views={VIEWS} />;
}

/** How long an answer may be. */
function outputs(limits: Limits): string {
  const { max_output_tokens: most, default_output_tokens: unsaid } = limits;
  const whole = most === null ? "An answer may be as long as its model's window holds" : `An answer has at most ${count(most)} tokens`;
  return unsaid === null ? `${whole}.` : `${whole}, and has ${count(unsaid)} tokens where the request names no number.`;
}

function LimitTable(): ReactNode {
  const limits = useResource("limits", (signal) => get<Limits>("/v1/limits", signal));
  return (
    <Loaded of={limits}>
      {(found) => (
        <section className="stack" aria-label="Limits">
          <p className="muted">Limits of one key. They are set in <code>mainspring.yaml</code> under <code>serving</code>.</p>
          <div className="scroll" tabIndex={0} role="group" aria-label="Limits">
            <table className="table">
              <thead><tr><th>Keys</th><th className="number">Requests per minute</th><th className="number">Tokens per minute</th><th className="number">Requests per day</th></tr></thead>
              <tbody>
                <LimitRow name="default" rates={found.default} />
                {Object.entries(found.tiers).map(([name, rates]) => <LimitRow key={name} name={`tier ${name}`} rates={rates} />)}
              </tbody>
            </table>
          </div>
          <TenantQuotas />
          <p className="muted">{outputs(found)}</p>
        </section>
      )}
    </Loaded>
  );
}

function TenantQuotas(): ReactNode {
  const quotas = useResource("tenant limits", (signal) => get<List<Quota> & { tenant: string }>("/v1/limits/tenant", signal));
  return (
    <Loaded of={quotas}>
      {(found) => (
        <>
          <h2>All keys of {found.tenant} together</h2>
          <p className="muted">The operator of the server sets them.</p>
          <div className="scroll" tabIndex={0} role="group" aria-label="Limits of the tenant">
            <table className="table">
              <thead><tr><th>What</th><th className="number">Used</th><th className="number">Limit</th><th className="wide"><span className="hidden">Share</span></th></tr></thead>
              <tbody>{found.data.map((quota) => <QuotaRow key={quota.name} quota={quota} />)}</tbody>
            </table>
          </div>
        </>
      )}
    </Loaded>
  );
}

function QuotaRow({ quota: { name, what, used, limit: most } }: { quota: Quota }): ReactNode {
  const said = (value: number): string => (name.endsWith("bytes") ? bytes(value) : count(value));
  return (
    <tr>
      <td>{what}</td>
      <td className="number">{used === null ? "–" : said(used)}</td>
      <td className="number">{most === null ? "no limit" : said(most)}</td>
      <td className="wide">
        {used !== null && most !== null && (
          <span className="meter-row">
            <span className="meter"><span className={used >= most ? "over" : ""} style={{ width: `${Math.min(100, (100 * used) / most)}%` }} /></span>
            <span className="nowrap">{share(used, most)}</span>
          </span>
        )}
      </td>
    </tr>
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

const KINDS: Record<string, string> = { chat: "writes text", embedding: "embeds text", reranker: "orders passages", application: "application", collection: "collection of documents" };

function ModelTable(): ReactNode {
  const models = useResource("models and presets", async (signal) => {
    const [served, presets] = await Promise.all([get<Models>("/v1/models", signal), get<List<Preset>>("/v1/presets", signal)]);
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
