// How the next answers are written: a preset, single parameters, a system prompt.
import type { ReactNode } from "react";
import { NOTHING_SET, type Parameters } from "../../api/ask";
import type { Preset } from "../../api/types";
import { Button, Field } from "../../ui/controls";

interface Props {
  value: Parameters;
  presets: Preset[];
  onChange: (value: Parameters) => void;
}

const NUMBERS = [
  { name: "temperature", label: "Temperature", min: 0, max: 2, step: 0.1, hint: "0 is the likeliest answer, higher varies more" },
  { name: "top_p", label: "Top-p", min: 0.05, max: 1, step: 0.05, hint: "draw from this share of likely tokens" },
  { name: "max_tokens", label: "Max. tokens", min: 1, max: 100_000, step: 1, hint: "longer answers are cut off" },
  { name: "seed", label: "Seed", min: 0, max: 2 ** 31, step: 1, hint: "the same seed repeats an answer" },
] as const;

export function ParametersPanel({ value, presets, onChange }: Props): ReactNode {
  const set = (name: keyof Parameters, to: string): void => onChange({ ...value, [name]: to });
  const preset = presets.find((each) => each.id === value.preset);
  const sampling = preset ? Object.entries(preset.sampling).map(([name, number]) => `${name} ${number}`).join(", ") : "";
  return (
    <section className="parameters" aria-label="Parameters">
      <div className="parameters-grid">
        <Field label="Preset" hint={preset ? `${preset.description} (${sampling})` : "sampling by task"}>
          {(ids) => (
            <select {...ids} value={value.preset} onChange={(event) => set("preset", event.target.value)}>
              <option value="">None</option>
              {presets.map((each) => <option key={each.id} value={each.id}>{each.id}</option>)}
            </select>
          )}
        </Field>
        {NUMBERS.map(({ name, label, hint, ...bounds }) => (
          <Field key={name} label={label} hint={hint}>
            {(ids) => (
              <input
                {...ids}
                {...bounds}
                type="number"
                inputMode="decimal"
                placeholder="default"
                value={value[name]}
                onChange={(event) => set(name, event.target.value)}
              />
            )}
          </Field>
        ))}
      </div>
      <Field label="Answers from documents" hint="of collections and document-qa">
        {(ids) => (
          <select {...ids} value={value.mode ?? ""} onChange={(event) => set("mode", event.target.value)}>
            <option value="">As the server thinks best</option>
            <option value="extractive">Verbatim: the documents' own sentences</option>
            <option value="generative">Written by a model from them</option>
          </select>
        )}
      </Field>
      <Field label="System prompt" hint="used by models, not by applications and collections">
        {(ids) => (
          <textarea {...ids} rows={2} value={value.system} placeholder="You are …" onChange={(event) => set("system", event.target.value)} />
        )}
      </Field>
      <div className="parameters-end">
        <span className="muted small">Used for the next answers of this conversation.</span>
        <Button kind="quiet" onClick={() => onChange(NOTHING_SET)}>Reset all</Button>
      </div>
    </section>
  );
}
