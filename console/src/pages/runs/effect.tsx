// What happened to an effect of which nobody but a person can know.
import { useState, type ReactNode } from "react";
import { ApiError, post } from "../../api/client";
import { runUrl, type Run, type RunStep } from "../../api/runs";
import { parsed } from "../../lib/readable";
import { Button, Choice, Field } from "../../ui/controls";
import { Dialog } from "../../ui/dialog";
import { Note } from "../../ui/states";
import { toast } from "../../ui/toast";

type Decision = "happened" | "not_happened" | "give_up";

const MEANING: Record<Decision, string> = {
  happened: "The run goes on with this result. The tool is not called again.",
  not_happened: "The tool is called again.",
  give_up: "The run is cancelled.",
};

export function DecideEffect({ run, step, onClose, onDone }: { run: Run; step: RunStep; onClose: () => void; onDone: () => void }): ReactNode {
  const [decision, setDecision] = useState<Decision>("happened");
  const [result, setResult] = useState("");
  const [note, setNote] = useState("");
  const [error, setError] = useState("");
  const submit = async (): Promise<void> => {
    try {
      await post(`${runUrl(run.id)}/decide`, { step: step.id, decision, note: note.trim(), ...(decision === "happened" && { result: parsed(result) }) });
      toast(decision === "give_up" ? "The run is given up" : "The run goes on");
      onDone();
    } catch (problem) {
      setError((problem as ApiError).message);
    }
  };
  return (
    <Dialog
      title={`What happened to ${step.name}?`}
      onClose={onClose}
      actions={<><Button onClick={onClose}>Cancel</Button><Button kind={decision === "give_up" ? "danger" : "primary"} onClick={() => void submit()}>{decision === "give_up" ? "Give up" : "Go on"}</Button></>}
    >
      {error && <Note tone="bad">{error}</Note>}
      <Choice label="Decision" value={decision} onChange={setDecision} options={[{ value: "happened", label: "It happened" }, { value: "not_happened", label: "It did not" }, { value: "give_up", label: "Give up" }]} />
      <p>{MEANING[decision]}</p>
      {decision === "happened" && <Field label="Result" hint="what the tool would have said: a text, or JSON">{(ids) => <textarea {...ids} rows={4} className="mono" value={result} onChange={(event) => setResult(event.target.value)} />}</Field>}
      <Field label="Note" hint="for the audit log, optional">{(ids) => <input {...ids} value={note} maxLength={500} onChange={(event) => setNote(event.target.value)} />}</Field>
    </Dialog>
  );
}
