// Undoes the last promotion of an application, with the reason that is recorded.
import { useState, type ReactNode } from "react";
import { ApiError, post } from "../../api/client";
import { Button, Field } from "../../ui/controls";
import { Dialog } from "../../ui/dialog";
import { Note } from "../../ui/states";
import { toast } from "../../ui/toast";

export function Undo({ application, onClose, onDone }: { application: string; onClose: () => void; onDone: () => void }): ReactNode {
  const [reason, setReason] = useState("");
  const [error, setError] = useState("");
  const undo = async (): Promise<void> => {
    try {
      const { undone } = await post<{ undone: string }>(`/v1/improve/applications/${encodeURIComponent(application)}/undo`, { reason: reason.trim() });
      toast(`${undone} is undone`);
      onDone();
    } catch (problem) {
      setError((problem as ApiError).message);
    }
  };
  return (
    <Dialog
      title={`Undo the last promotion of ${application}?`}
      onClose={onClose}
      actions={<><Button onClick={onClose}>Cancel</Button><Button kind="danger" onClick={() => void undo()}>Undo</Button></>}
    >
      {error && <Note tone="bad">{error}</Note>}
      <p>What was in use before it answers again, within seconds.</p>
      <Field label="Reason" hint="it is recorded, optional">{(ids) => <input {...ids} value={reason} maxLength={500} onChange={(event) => setReason(event.target.value)} />}</Field>
    </Dialog>
  );
}
