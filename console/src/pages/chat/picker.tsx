// Which model, application or collection is asked.
import { useId, type ReactNode } from "react";
import type { Model } from "../../api/types";

const GROUPS = [
  ["collection", "Collections: answers from these documents"],
  ["application", "Applications"],
  ["chat", "Models"],
] as const;

interface Props {
  models: Model[];
  value: string;
  label: string;
  onChange: (model: string) => void;
}

export function ModelPicker({ models, value, label, onChange }: Props): ReactNode {
  const id = useId();
  const known = models.some((model) => model.id === value);
  return (
    <div className="picker">
      <label className="hidden" htmlFor={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onChange(event.target.value)}>
        {!known && <option value={value}>{value} (no longer served)</option>}
        {GROUPS.map(([kind, title]) => {
          const found = models.filter((model) => model.kind === kind);
          return found.length === 0 ? null : (
            <optgroup key={kind} label={title}>
              {found.map((model) => <option key={model.id} value={model.id}>{model.id}</option>)}
            </optgroup>
          );
        })}
      </select>
    </div>
  );
}
