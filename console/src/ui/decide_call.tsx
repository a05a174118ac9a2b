// The decision about a call of a tool that waits for somebody.
import { useState, type ReactNode } from "react";
import { ApiError, post } from "../api/client";
import { Button, Field } from "./controls";
import { Dialog } from "./dialog";
import { Note } from "./states";
import { toast } from "./toast";

interface Props {
  // The approval's.
  id: string;
  // The tool's.
  name: string;
  verb: "approve" | "deny";
  onClose: () => void;
  onDone: () => void;
}

export function DecideCall({ id, name, verb, onClose, onDone }: Props): ReactNode {
  const [note, setNote] = useState("");
  const [error, setError] = useState("");
  const submit = async (): Promise<void> => {
    try {
      await post(`/v1/approvals/${encodeURIComponent(id)}/${verb}`, { note: note.trim() });
      toast(verb === "approve" ? "The call may be made, once" : "The call is denied");
      onDone();
    } catch (problem) {
      setError((problem as ApiError).message);
    }
  };
  return (
    <Dialog
      title={`${verb === "approve" ? "Approve" : "Deny"} ${name}?`}
      onClose={onClose}
      actions={<><Button onClick={onClose}>Cancel</Button><Button kind={verb === "approve" ? "primary" : "danger"} onClick={() => void submit()}>{verb === "approve" ? "Approve" : "Deny"}</Button></>}
    >
      {error && <Note tone="bad">{error}</Note>}
      <p>{verb === "approve" ? "The call is released once, with exactly these arguments." : "The call is never released. The requester is told."}</p>
      <Field label="Note" hint="note for the requester, optional">{(ids) => <input {...ids} value={note} maxLength={500} onChange={(event) => setNote(event.target.value)} />}</Field>
    </Dialog>
  );
}
