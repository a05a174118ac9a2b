// A new job: a recipe, its rows, what it starts from and its options. Its memory can be planned before.
import { useRef, useState, type FormEvent, type ReactNode } from "react";
import { ApiError, get, post, upload } from "../../api/client";
import { megabytes, optionsOf, type MemoryPlan, type Recipe, type TrainingJob } from "../../api/train";
import type { List } from "../../api/types";
import { useResource } from "../../lib/resource";
import { go, path } from "../../lib/route";
import { Button, Field } from "../../ui/controls";
import { Loaded, Note } from "../../ui/states";

export function Start({ recipe }: { recipe?: string }): ReactNode {
  const found = useResource("/v1/training/recipes", (signal) => get<List<Recipe>>("/v1/training/recipes", signal));
  return (
    <section className="stack" aria-label="New job">
      <Loaded of={found} what="Reading the recipes">
        {({ data }) => <Form recipes={data} first={data.some((each) => each.id === recipe) ? recipe! : (data.find((each) => each.id === "sft") ?? data[0])?.id ?? ""} />}
      </Loaded>
    </section>
  );
}

function Form({ recipes, first }: { recipes: Recipe[]; first: string }): ReactNode {
  const [chosen, setChosen] = useState(first);
  const [exported, setExported] = useState("");
  const [base, setBase] = useState("");
  const [text, setText] = useState("");
  const [name, setName] = useState("");
  const [serve, setServe] = useState(false);
  const [night, setNight] = useState(false);
  const [busy, setBusy] = useState(false);
  const [plan, setPlan] = useState<MemoryPlan>();
  const [error, setError] = useState<{ message: string; param: string }>();
  const file = useRef<HTMLInputElement>(null);
  const recipe = recipes.find((each) => each.id === chosen);
  // What fails is said at its field, if it has one.
  const attempt = async (what: (options: Record<string, unknown>) => Promise<void>): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      await what(optionsOf(text));
    } catch (failure) {
      const { message, param } = failure as ApiError;
      setError({ message, param: param ?? "" });
    }
    setBusy(false);
  };
  const asked = (options: Record<string, unknown>): object => ({ recipe: chosen, options, base: recipe?.bases.length ? base.trim() : "" });
  const start = (event: FormEvent): void => {
    event.preventDefault();
    void attempt(async (options) => {
      const rows = file.current?.files?.[0];
      const sent = rows && (await upload(rows, () => {}, new AbortController().signal, "fine-tune"));
      const data = sent ? { training_file: sent.id } : { export: exported.trim() };
      const job = await post<TrainingJob>("/v1/training/jobs", { ...asked(options), ...data, suffix: name.trim(), serve, night });
      go(path("train", "jobs", job.id));
    });
  };
  const at = (...names: string[]): string | undefined => (error && names.some((each) => error.param === each || error.param.startsWith(`${each}.`)) ? error.message : undefined);
  const told = [at("base"), at("options", "option"), at("suffix"), at("export", "training_file", "train")];
  return (
    <form className="card stack" onSubmit={start} aria-label="New job">
      <Field label="Recipe" hint={recipe && `${recipe.summary}. It reads ${recipe.reads.join(", ")}.`}>
        {(ids) => <select {...ids} value={chosen} onChange={(event) => { setChosen(event.target.value); setPlan(undefined); }}>{recipes.map((each) => <option key={each.id}>{each.id}</option>)}</select>}
      </Field>
      <Field label="Rows" hint="A file with a JSON object on each line. It is split into rows for training, validation and test." error={at("train", "training_file", "export")}>
        {(ids) => <input {...ids} ref={file} type="file" accept=".jsonl,.json" />}
      </Field>
      <Field label="Or an export of the lake" hint="Its ID; its format must be trl.">{(ids) => <input {...ids} value={exported} onChange={(event) => setExported(event.target.value)} />}</Field>
      {recipe !== undefined && recipe.bases.length > 0 && (
        <Field label="Base" hint={`A model of the kind ${recipe.bases.join(" or ")}, or a version: NAME@NUMBER.`} error={at("base")}>
          {(ids) => <input {...ids} value={base} onChange={(event) => setBase(event.target.value)} />}
        </Field>
      )}
      <Field label="Options" hint={`NAME=VALUE on each line, for example ${Object.keys(recipe?.options.properties ?? {}).slice(0, 3).join(", ") || "none"}; Recipes lists all.`} error={at("options", "option")}>
        {(ids) => <textarea {...ids} rows={3} spellCheck={false} value={text} onChange={(event) => setText(event.target.value)} />}
      </Field>
      <Field label="Name of the new version" hint="Optional." error={at("suffix")}>{(ids) => <input {...ids} value={name} maxLength={64} onChange={(event) => setName(event.target.value)} />}</Field>
      <label className="check"><input type="checkbox" checked={serve} onChange={(event) => setServe(event.target.checked)} /><span>Serve the new version</span></label>
      <label className="check"><input type="checkbox" checked={night} onChange={(event) => setNight(event.target.checked)} /><span>Train only at night</span></label>
      {error && told.every((each) => each === undefined) && <Note tone="bad">{error.message}</Note>}
      {plan && <Planned of={plan} />}
      <div className="row">
        <Button kind="primary" type="submit" disabled={busy}>{busy ? "Working …" : "Start"}</Button>
        <Button disabled={busy} onClick={() => void attempt(async (options) => setPlan(await post<MemoryPlan>("/v1/training/plan", asked(options))))}>Plan the memory</Button>
      </div>
    </form>
  );
}

function Planned({ of }: { of: MemoryPlan }): ReactNode {
  const parts = Object.entries(of.bytes).map(([name, bytes]) => `${name} ${bytes === null ? "not planned" : megabytes(bytes)}`).join(", ");
  return (
    <Note tone={of.fits ? "plain" : "warn"}>
      {`${megabytes(of.total_bytes)} in ${of.processes === 1 ? "one process" : `${of.processes} processes`}, which ${of.fits ? "fits" : "does not fit"} into the ${megabytes(of.limit_bytes)} of a run. Each: ${parts}. ${of.notes.map((each) => `${each[0]!.toUpperCase()}${each.slice(1)}.`).join(" ")}`}
    </Note>
  );
}
