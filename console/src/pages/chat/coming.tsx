// Models that are on their way: they can be asked a little later.
import type { ReactNode } from "react";
import type { Coming } from "../../api/types";
import { progress } from "../../lib/coming";

export function ComingModels({ coming }: { coming: Coming[] }): ReactNode {
  const shown = coming.filter((model) => model.state !== "served");
  if (shown.length === 0) return null;
  return (
    <ul className="coming small" aria-label="Models that are being added">
      {shown.map((model) => (
        <li key={model.id}>
          <strong>{model.id}</strong> <span className={model.state === "failed" ? "bad" : "muted"}>{progress(model)}</span>
          {model.state === "pulling" && model.total > 0 && <progress max={model.total} value={model.done} aria-label={`Pulling ${model.id}`} />}
        </li>
      ))}
    </ul>
  );
}
