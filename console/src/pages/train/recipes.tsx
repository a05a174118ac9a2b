// What can be trained, with the options of each recipe.
import { useState, type ReactNode } from "react";
import { get } from "../../api/client";
import type { Recipe } from "../../api/train";
import type { List } from "../../api/types";
import { useResource } from "../../lib/resource";
import { Badge, Button } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";
import { Begin } from "./begin";

export function Recipes(): ReactNode {
  const found = useResource("/v1/training/recipes", (signal) => get<List<Recipe>>("/v1/training/recipes", signal));
  return (
    <section className="stack" aria-label="Recipes">
      <Loaded of={found} what="Reading the recipes">
        {({ data }) => data.length === 0 ? (
          <Empty icon="columns" title="There are no recipes">A feature or a plugin brings them.</Empty>
        ) : (
          <ul className="stack">{data.map((each) => <Shown key={each.id} of={each} />)}</ul>
        )}
      </Loaded>
    </section>
  );
}

function Shown({ of }: { of: Recipe }): ReactNode {
  const options = Object.entries(of.options.properties ?? {});
  const [beginning, setBeginning] = useState(false);
  return (
    <li className="card stack">
      <div className="section-head"><h2>{of.id}</h2><span className="row wraps"><Badge tone="accent">{of.makes}</Badge>{of.needs.map((each) => <Badge key={each}>{`needs ${each}`}</Badge>)}<Button icon="play" aria-label={`Train with ${of.id}`} onClick={() => setBeginning(true)}>Train</Button></span></div>
      <p>{of.summary}</p>
      <p className="muted small">{[`Reads ${of.reads.join(", ")}`, of.bases.length > 0 ? `begins with a model of the kind ${of.bases.join(" or ")}` : "", of.source].filter(Boolean).join("; ")}</p>
      {options.length > 0 && (
        <details>
          <summary>{`${options.length} options`}</summary>
          <div className="scroll" tabIndex={0} role="group" aria-label={`Options of ${of.id}`}>
            <table className="table compact">
              <thead><tr><th>Option</th><th>Default</th><th>Meaning</th></tr></thead>
              <tbody>{options.map(([name, each]) => <tr key={name}><td><code>{name}</code></td><td className="breaking">{each.default === undefined ? "required" : JSON.stringify(each.default)}</td><td>{each.description ?? "–"}</td></tr>)}</tbody>
            </table>
          </div>
        </details>
      )}
      {beginning && <Begin recipe={of} onClose={() => setBeginning(false)} />}
    </li>
  );
}
