// Starts a job: the recipe with its options, what it learns from, and how long it may take.
import { useRef, useState, type ReactNode } from "react";
import { ApiError, get, may, post, upload } from "../../api/client";
import type { LakeExport } from "../../api/exports";
import { megabytes, typed, type MemoryPlan, type Recipe, type TrainingJob } from "../../api/train";
import type { List } from "../../api/types";
import { plural } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { go, path } from "../../lib/route";
import { useMe } from "../../session";
import { Button, Choice, Field } from "../../ui/controls";
import { Dialog } from "../../ui/dialog";
import { Note } from "../../ui/states";
import { BaseField, NamedInput } from "./bases";

const EXPORTS = "/v1/lake/exports?limit=100";
// The fields of a job that name a file, with what stands at the input.
const FILES = [["training_file", "File"], ["validation_file", "Validation file"], ["test_file", "Test file"]] as const;
type Files = Partial<Record<(typeof FILES)[number][0], File>>;

export function Begin({ recipe, onClose }: { recipe: Recipe; onClose: () => void }): ReactNode {
  const lake = may(useMe(), "lake");
  const exports = useResource(lake ? EXPORTS : "", async (signal) => (lake ? (await get<List<LakeExport>>(EXPORTS, signal)).data : []));
  const fitting = (exports.data ?? []).filter((each) => each.status === "completed" && each.format === "trl" && recipe.reads.includes(each.kind));
  const [from, setFrom] = useState<"export" | "file">();
  const source = from ?? (fitting.length > 0 ? "export" : "file");
  const [chosen, setChosen] = useState("");
  const [files, setFiles] = useState<Files>({});
  const sent = useRef(new Map<File, string>());
  const [base, setBase] = useState("");
  const [name, setName] = useState("");
  const [values, setValues] = useState<Record<string, string>>({});
  const [minutes, setMinutes] = useState("");
  const [usd, setUsd] = useState("");
  const [seed, setSeed] = useState("");
  const [night, setNight] = useState(false);
  const [serve, setServe] = useState(false);
  const [plan, setPlan] = useState<MemoryPlan>();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const options = Object.entries(recipe.options.properties ?? {});
  const required = recipe.options.required ?? [];
  const named = chosen || fitting[0]?.id || "";
  const ready = (source === "export" ? named !== "" : files.training_file !== undefined) && (recipe.bases.length === 0 || base.trim() !== "") && required.every((each) => values[each]?.trim());
  const attempt = async (what: () => Promise<void>): Promise<void> => {
    setBusy(true);
    setError("");
    try {
      await what();
    } catch (problem) {
      setError(problem instanceof ApiError ? problem.message : "This did not work.");
    }
    setBusy(false);
  };
  const asked = (): object => ({
    recipe: recipe.id,
    options: Object.fromEntries(options.filter(([key]) => values[key]?.trim()).map(([key, option]) => [key, typed(option, values[key]!.trim())])),
    ...(base.trim() && { base: base.trim() }),
  });
  // A refused job can be tried again: what was uploaded for it is there.
  const uploaded = async (file: File): Promise<string> => {
    const id = sent.current.get(file) ?? (await upload(file, () => {}, new AbortController().signal, "fine-tune")).id;
    sent.current.set(file, id);
    return id;
  };
  const begin = (): Promise<void> => attempt(async () => {
    const data: Record<string, string> = source === "export" ? { export: named } : {};
    for (const [field] of FILES) {
      const file = files[field];
      if (source === "file" && file) data[field] = await uploaded(file);
    }
    const bounds = { ...(minutes && { seconds: Number(minutes) * 60 }), ...(usd && { usd: Number(usd) }) };
    const job = await post<TrainingJob>("/v1/training/jobs", {
      ...asked(), ...data, ...bounds, night, serve, ...(name.trim() && { suffix: name.trim() }), ...(seed && { seed: Number(seed) }),
    });
    go(path("train", "jobs", job.id));
  });
  const planned = (): Promise<void> => attempt(async () => setPlan(await post<MemoryPlan>("/v1/training/plan", asked())));
  return (
    <Dialog
      wide
      title={`Train with ${recipe.id}`}
      subtitle={recipe.summary}
      onClose={onClose}
      actions={<><Button onClick={onClose}>Cancel</Button><Button disabled={busy || (recipe.bases.length > 0 && base.trim() === "")} onClick={() => void planned()}>Plan the memory</Button><Button kind="primary" disabled={busy || !ready} onClick={() => void begin()}>{busy ? "Starting …" : "Start"}</Button></>}
    >
      <div className="stack">
        {error && <Note tone="bad">{error}</Note>}
        {plan && <Planned of={plan} />}
        <Choice label="Data" value={source} onChange={setFrom} options={[{ value: "export", label: "An export" }, { value: "file", label: "A file" }]} />
        {source === "export" ? (
          fitting.length > 0 ? (
            <Field label="Export">{(ids) => <select {...ids} value={named} onChange={(event) => setChosen(event.target.value)}>{fitting.map((each) => <option key={each.id} value={each.id}>{`${each.name || each.id}, ${each.kind}, ${plural(each.rows, "row")}`}</option>)}</select>}</Field>
          ) : (
            <p className="muted">{`There is no export in the format trl that it reads (${recipe.reads.join(", ")}).`}</p>
          )
        ) : (
          FILES.map(([field, label]) => (
            <Field key={field} label={label} hint={field === "training_file" ? `JSON lines of the kind ${recipe.reads.join(" or ")}. A single file is split into training, validation and test.` : "optional"}>
              {(ids) => <input {...ids} type="file" accept=".jsonl" onChange={(event) => setFiles({ ...files, [field]: event.target.files?.[0] })} />}
            </Field>
          ))
        )}
        {recipe.bases.length > 0 && <BaseField recipe={recipe} value={base} onChange={setBase} />}
        <Field label="Name" hint="of the version that is made, optional">{(ids) => <input {...ids} value={name} maxLength={64} onChange={(event) => setName(event.target.value)} />}</Field>
        <Field label="Longest training in minutes" hint="the best model so far is kept, optional">{(ids) => <input {...ids} type="number" min="1" value={minutes} onChange={(event) => setMinutes(event.target.value)} />}</Field>
        <Field label="Highest cost in US dollars" hint="by the price of the machine; the best model so far is kept, optional">{(ids) => <input {...ids} type="number" min="0" step="any" value={usd} onChange={(event) => setUsd(event.target.value)} />}</Field>
        <Field label="Seed" hint="of all random numbers: the same one makes runs comparable, optional">{(ids) => <input {...ids} type="number" min="0" value={seed} placeholder="0" onChange={(event) => setSeed(event.target.value)} />}</Field>
        <label className="check"><input type="checkbox" checked={night} onChange={(event) => setNight(event.target.checked)} /> Only at night</label>
        <label className="check"><input type="checkbox" checked={serve} onChange={(event) => setServe(event.target.checked)} /> Serve the new version</label>
        {options.length > 0 && (
          <details open={required.length > 0}>
            <summary>{plural(options.length, "option")}</summary>
            <div className="stack">
              {options.map(([key, option]) => {
                const told = { value: values[key] ?? "", placeholder: required.includes(key) ? "required" : JSON.stringify(option.default) ?? "" };
                const change = (value: string): void => setValues({ ...values, [key]: value });
                return (
                  <Field key={key} label={key} hint={option.description}>
                    {(ids) => (recipe.named?.[key] ? <NamedInput recipe={recipe} option={key} ids={ids} {...told} onChange={change} /> : <input {...ids} {...told} onChange={(event) => change(event.target.value)} />)}
                  </Field>
                );
              })}
            </div>
          </details>
        )}
      </div>
    </Dialog>
  );
}

function Planned({ of }: { of: MemoryPlan }): ReactNode {
  const parts = Object.entries(of.bytes).map(([name, bytes]) => `${name} ${bytes === null ? "not planned" : megabytes(bytes)}`).join(", ");
  return (
    <Note tone={of.fits ? "plain" : "warn"}>
      {`${megabytes(of.total_bytes)}${of.not_counted.length > 0 ? ` without ${of.not_counted.join(" and ")}` : ""} in ${of.processes === 1 ? "one process" : `${of.processes} processes`}, which ${of.fits ? "fits" : "does not fit"} into the ${megabytes(of.limit_bytes)} of a run. Each: ${parts}. ${of.notes.map((each) => `${each[0]!.toUpperCase()}${each.slice(1)}.`).join(" ")}`}
    </Note>
  );
}
