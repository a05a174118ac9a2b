// The policy of an application as YAML: what begins a campaign, what is tried, and what must get better.
import { dump, load, YAMLException } from "js-yaml";
import { useState, type ReactNode } from "react";
import { ApiError, send } from "../../api/client";
import type { Improved } from "../../api/improve";
import { Button, Field } from "../../ui/controls";
import { Dialog } from "../../ui/dialog";
import { Note } from "../../ui/states";
import { toast } from "../../ui/toast";

const FIRST = `watch: {feedback: 200}
data: {export: {kind: preference}}
rungs:
  - {recipe: answers-shown, kind: answering, options: {collection: COLLECTION}}
offline:
  dataset: DATASET
  gain: {name: f1, effect: 0.01}
canary: {steps: [0.1, 0.5], metric: {source: feedback}}
gate: true
`;

// `of`: the application whose policy it is; without it a new one is written.
export function PolicyDialog({ of, onClose, onDone }: { of?: Improved; onClose: () => void; onDone: () => void }): ReactNode {
  const [application, setApplication] = useState(of?.application ?? "");
  const [text, setText] = useState(() => (of ? dump({ enabled: of.policy.enabled, ...of.policy.policy }, { lineWidth: 100 }) : FIRST));
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const save = async (): Promise<void> => {
    setBusy(true);
    setError("");
    try {
      const body = JSON.stringify(load(text));
      const url = `/v1/improve/policies/${encodeURIComponent(application.trim())}`;
      const { version } = await (await send(url, { method: "PUT", headers: { "content-type": "application/json" }, body })).json() as { version: number };
      toast(`The policy has version ${version}`);
      onDone();
    } catch (problem) {
      if (problem instanceof YAMLException) setError(`This is no YAML: ${problem.reason}${problem.mark ? `, line ${problem.mark.line + 1}` : ""}.`);
      else if (problem instanceof ApiError) setError(problem.param ? `${problem.param}: ${problem.message}` : problem.message);
      else setError("This did not work.");
      setBusy(false);
    }
  };
  return (
    <Dialog
      wide
      title={of ? `Policy of ${of.application}` : "A policy for an application"}
      subtitle={of ? `Version ${of.policy.version}. Saving it makes another one.` : undefined}
      onClose={onClose}
      actions={<><Button onClick={onClose}>Cancel</Button><Button kind="primary" disabled={busy || !application.trim()} onClick={() => void save()}>Save</Button></>}
    >
      <div className="stack">
        {error && <Note tone="bad">{error}</Note>}
        {!of && <Field label="Application" hint="a collection, a model, an agent, or what else answers under a name">{(ids) => <input {...ids} value={application} maxLength={256} onChange={(event) => setApplication(event.target.value)} />}</Field>}
        <Field label="Policy" hint="all fields: see the guide to the loop of improvement">{(ids) => <textarea {...ids} rows={20} className="mono" spellCheck={false} value={text} onChange={(event) => setText(event.target.value)} />}</Field>
      </div>
    </Dialog>
  );
}
