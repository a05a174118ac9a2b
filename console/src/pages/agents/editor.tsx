// An agent's definition, as a form of what is changed most, or as YAML or JSON of all of it. What is wrong is shown at its
// field.
import { dump, load, YAMLException } from "js-yaml";
import { useRef, useState, type ReactNode } from "react";
import { ApiError, get, send } from "../../api/client";
import { agentUrl, type Agent, type Definition } from "../../api/agents";
import type { List, Model } from "../../api/types";
import { lineOf, problem } from "../../lib/json_place";
import { parsed } from "../../lib/readable";
import { useResource } from "../../lib/resource";
import { Button, Choice, Field } from "../../ui/controls";
import { Note } from "../../ui/states";
import { toast } from "../../ui/toast";

interface Props {
  definition: Definition;
  // Of one that exists: its version, which nobody must have changed meanwhile.
  seen?: number;
  onSaved: (agent: Agent) => void;
}

const FIELDS = ["name", "description", "model", "instruction", "tools"];

export function Editor({ definition, seen, onSaved }: Props): ReactNode {
  const [text, setText] = useState(() => JSON.stringify(definition, null, 2));
  const [view, setView] = useState<"form" | "yaml" | "json">("form");
  const [note, setNote] = useState("");
  const [error, setError] = useState<{ message: string; param: string }>();
  const [busy, setBusy] = useState(false);
  // A YAML text that cannot be read, whose definition is not in `text` yet.
  const [unread, setUnread] = useState("");
  const wrong = problem(text);
  const save = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      const made = JSON.parse(text) as Definition;
      const url = seen === undefined ? "/v1/agents" : agentUrl(String(definition["name"]));
      const headers = { "content-type": "application/json", ...(seen !== undefined && { "if-match": `"${seen}"` }) };
      const kept: Agent = await (await send(url, { method: "POST", headers, body: JSON.stringify({ definition: made, note: note.trim() }) })).json();
      toast(`Version ${kept.version} is served`);
      onSaved(kept);
    } catch (failure) {
      const { message, param } = failure as ApiError;
      setError({ message, param: (param ?? "").replace(/^definition\.?/, "") });
    }
    setBusy(false);
  };
  // The form has a place for some errors; the text has one for all.
  const at = error && FIELDS.find((each) => error.param === each || error.param.startsWith(`${each}.`));
  return (
    <div className="stack">
      {!wrong && !unread && <div><Choice label="Definition as" value={view} onChange={setView} options={[{ value: "form", label: "Form" }, { value: "yaml", label: "YAML" }, { value: "json", label: "JSON" }]} /></div>}
      {error && (view !== "form" || !at) && <Note tone="bad">{error.param ? `${error.param}: ${error.message.replace(`${error.param}: `, "")}` : error.message}</Note>}
      {view === "yaml" && !wrong ? (
        <Yaml text={text} wrong={unread} onWrong={setUnread} onChange={setText} />
      ) : view === "json" || wrong ? (
        <Source text={text} wrong={wrong} at={error?.param ?? ""} onChange={setText} />
      ) : (
        <Form text={text} fixedName={seen !== undefined} error={at ? { field: at, message: error!.message } : undefined} onChange={setText} />
      )}
      <Field label="Note" hint="what changed, optional">{(ids) => <input {...ids} value={note} maxLength={2000} onChange={(event) => setNote(event.target.value)} />}</Field>
      <div><Button kind="primary" disabled={busy || wrong !== "" || unread !== ""} onClick={() => void save()}>{seen === undefined ? "Make agent" : "Save version"}</Button></div>
    </div>
  );
}

function Source({ text, wrong, at, onChange }: { text: string; wrong: string; at: string; onChange: (text: string) => void }): ReactNode {
  const area = useRef<HTMLTextAreaElement>(null);
  const line = at ? lineOf(text, at) : undefined;
  const show = (): void => {
    const lines = text.split("\n");
    const start = lines.slice(0, line! - 1).join("\n").length + (line! > 1 ? 1 : 0);
    area.current!.focus();
    area.current!.setSelectionRange(start, start + lines[line! - 1]!.length);
  };
  return (
    <>
      <Field label="Definition" error={wrong} hint="all fields that an agent has: see the guide of agents">
        {(ids) => <textarea {...ids} ref={area} rows={Math.min(28, Math.max(10, text.split("\n").length + 1))} className="mono" spellCheck={false} value={text} aria-invalid={Boolean(wrong || at)} onChange={(event) => onChange(event.target.value)} />}
      </Field>
      {line !== undefined && <div className="row wraps"><Button icon="search" onClick={show}>Show line {line}</Button><code className="breaking">{text.split("\n")[line - 1]!.trim()}</code></div>}
    </>
  );
}

interface YamlProps {
  text: string;
  wrong: string;
  onWrong: (problem: string) => void;
  onChange: (text: string) => void;
}

// The same definition as YAML, in which agents stand in the configuration.
function Yaml({ text, wrong, onWrong, onChange }: YamlProps): ReactNode {
  const [yaml, setYaml] = useState(() => dump(JSON.parse(text), { lineWidth: 100 }));
  const change = (next: string): void => {
    setYaml(next);
    const read = readYaml(next);
    onWrong(read.problem);
    if (read.definition) onChange(JSON.stringify(read.definition, null, 2));
  };
  return (
    <Field label="Definition" error={wrong} hint={<>as below <code>agents.definitions</code> in the configuration, with its name</>}>
      {(ids) => <textarea {...ids} rows={Math.min(28, Math.max(10, yaml.split("\n").length + 1))} className="mono" spellCheck={false} value={yaml} aria-invalid={Boolean(wrong)} onChange={(event) => change(event.target.value)} />}
    </Field>
  );
}

export function readYaml(text: string): { definition?: Definition; problem: string } {
  let read: unknown;
  try {
    read = load(text);
  } catch (failure) {
    const { reason, mark } = failure as YAMLException;
    return { problem: `This is not YAML: ${reason}${mark ? `, in line ${mark.line + 1}` : ""}` };
  }
  if (typeof read !== "object" || read === null || Array.isArray(read)) return { problem: "A definition has fields: name, instruction and others" };
  return { definition: read as Definition, problem: "" };
}

interface FormProps {
  text: string;
  fixedName: boolean;
  error?: { field: string; message: string };
  onChange: (text: string) => void;
}

function Form({ text, fixedName, error, onChange }: FormProps): ReactNode {
  const made = JSON.parse(text) as Definition;
  const models = useResource("models", (signal) => get<List<Model>>("/v1/models", signal));
  const [tools, setTools] = useState(() => ((made["tools"] as unknown[] | undefined) ?? []).map((each) => (typeof each === "string" ? each : JSON.stringify(each))).join("\n"));
  const put = (name: string, value: unknown): void => {
    const changed = { ...made, [name]: value };
    // What is empty is left to the server.
    if (value === "" && name !== "name") delete changed[name];
    onChange(JSON.stringify(changed, null, 2));
  };
  const of = (name: string): string | undefined => (error?.field === name ? error.message : undefined);
  const value = (name: string): string => String(made[name] ?? "");
  const chat = (models.data?.data ?? []).filter((each) => each.kind === "chat").map((each) => each.id);
  const chosen = value("model");
  const plain = (made["type"] ?? "llm") === "llm";
  return (
    <>
      <Field label="Name" error={of("name")} hint={fixedName ? "an agent keeps its name" : "clients ask it by this name"}>
        {(ids) => <input {...ids} value={value("name")} disabled={fixedName} onChange={(event) => put("name", event.target.value)} />}
      </Field>
      <Field label="Description" error={of("description")} hint="what it is for: other agents read it before they hand over">
        {(ids) => <input {...ids} value={value("description")} onChange={(event) => put("description", event.target.value)} />}
      </Field>
      {plain ? (
        <>
          <Field label="Model" error={of("model")}>
            {(ids) => (
              <select {...ids} value={chosen} onChange={(event) => put("model", event.target.value)}>
                <option value="">the default model</option>
                {[...new Set([...(chosen ? [chosen] : []), ...chat])].map((each) => <option key={each}>{each}</option>)}
              </select>
            )}
          </Field>
          <Field label="Instruction" error={of("instruction")}>
            {(ids) => <textarea {...ids} rows={6} value={value("instruction")} onChange={(event) => put("instruction", event.target.value)} />}
          </Field>
          <Field label="Tools" error={of("tools")} hint={<>one a line: a name such as <code>memory</code>, or <code>{'{"collection": {"collection": "handbook"}}'}</code></>}>
            {(ids) => (
              <textarea
                {...ids}
                rows={3}
                className="mono"
                spellCheck={false}
                value={tools}
                onChange={(event) => {
                  setTools(event.target.value);
                  put("tools", event.target.value.split("\n").map((each) => each.trim()).filter(Boolean).map(parsed));
                }}
              />
            )}
          </Field>
        </>
      ) : (
        <p className="muted">Its agents are changed as YAML or JSON.</p>
      )}
    </>
  );
}
