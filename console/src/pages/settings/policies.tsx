// The policies of the guards: which are in force, for whom, and what each says.
import type { ReactNode } from "react";
import { get } from "../../api/client";
import type { List } from "../../api/types";
import { useResource } from "../../lib/resource";
import { Badge } from "../../ui/controls";
import { Loaded } from "../../ui/states";

type Policy = { id: string; name: string; version: string; applications?: string[] } & Record<string, unknown>;

const APART = new Set(["id", "object", "name", "version", "applications"]);

export function PolicyList(): ReactNode {
  const policies = useResource("policies", (signal) => get<List<Policy>>("/v1/policies", signal));
  return (
    <section className="stack" aria-label="Policies">
      <p className="muted">What guards check and how they act. Policies are set in <code>mainspring.yaml</code> under <code>guards</code>, and each decision names the version that made it.</p>
      <Loaded of={policies} what="Reading the policies">
        {(found) => <>{found.data.map((policy) => <PolicyCard key={policy.name} policy={policy} />)}</>}
      </Loaded>
    </section>
  );
}

function PolicyCard({ policy }: { policy: Policy }): ReactNode {
  const said = Object.entries(policy).filter(([name]) => !APART.has(name)).flatMap(([name, value]) => flat(name, value));
  return (
    <section className="card stack" aria-label={`Policy ${policy.name}`}>
      <div className="section-head">
        <div className="row">
          <h2>{policy.name}</h2>
          {said.some(([name, value]) => name.endsWith("dry_run") && value === "yes") && <Badge tone="warn">dry run</Badge>}
        </div>
        <code>{policy.version}</code>
      </div>
      <p className="muted small">{policy.applications?.length ? `For ${policy.applications.join(", ")}` : "For all applications without their own policy"}</p>
      <dl className="pairs columns">
        {said.map(([name, value]) => <div key={name}><dt>{name.replaceAll("_", " ").replaceAll(".", " › ")}</dt><dd>{value}</dd></div>)}
      </dl>
    </section>
  );
}

// Settings below settings are named by their way.
function flat(name: string, value: unknown): [string, string][] {
  if (value === null || value === undefined) return [[name, "–"]];
  if (typeof value === "boolean") return [[name, value ? "yes" : "no"]];
  if (Array.isArray(value)) return [[name, value.map((each) => (typeof each === "object" ? JSON.stringify(each) : String(each))).join(", ") || "–"]];
  if (typeof value === "object") return Object.entries(value).flatMap(([key, inner]) => flat(`${name}.${key}`, inner));
  return [[name, String(value)]];
}
