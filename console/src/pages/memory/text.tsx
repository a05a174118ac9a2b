// A dialog for the words of a fact.
import { useState, type ReactNode } from "react";
import { ApiError } from "../../api/client";
import { Button, Field } from "../../ui/controls";
import { Dialog } from "../../ui/dialog";

interface Props {
  title: string;
  verb: string;
  text?: string;
  onText: (text: string) => Promise<void>;
  onClose: () => void;
}

export function TextDialog({ title, verb, text = "", onText, onClose }: Props): ReactNode {
  const [said, setSaid] = useState(text);
  const [error, setError] = useState("");
  const submit = async (): Promise<void> => {
    try {
      await onText(said.trim());
    } catch (problem) {
      setError((problem as ApiError).message);
    }
  };
  return (
    <Dialog title={title} onClose={onClose} actions={<><Button onClick={onClose}>Cancel</Button><Button kind="primary" disabled={!said.trim() || said.trim() === text} onClick={() => void submit()}>{verb}</Button></>}>
      <Field label="Fact" hint="in the person's own words" error={error}>{(ids) => <textarea {...ids} rows={3} maxLength={4000} value={said} onChange={(event) => setSaid(event.target.value)} />}</Field>
    </Dialog>
  );
}
