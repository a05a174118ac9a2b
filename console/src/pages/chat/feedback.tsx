// The answer as it should have been.
import { useState, type ReactNode } from "react";
import { ApiError, post } from "../../api/client";
import { updatePane } from "../../lib/conversations";
import { change, type Turn } from "../../lib/tree";
import { Button, Field } from "../../ui/controls";
import { Dialog } from "../../ui/dialog";
import { Note } from "../../ui/states";
import { toast } from "../../ui/toast";

interface Props {
  conversation: string;
  index: number;
  turn: Turn;
  onClose: () => void;
}

export function Feedback({ conversation, index, turn, onClose }: Props): ReactNode {
  const [edit, setEdit] = useState(turn.text);
  const [comment, setComment] = useState("");
  const [consent, setConsent] = useState(false);
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const changed = edit.trim() !== turn.text.trim();

  const submit = async (): Promise<void> => {
    setBusy(true);
    setError("");
    try {
      await post("/v1/feedback", {
        answer_id: turn.answer!.answerId,
        edit: changed ? edit : undefined,
        comment: comment.trim() || undefined,
        consent,
      });
      updatePane(conversation, index, (pane) =>
        change(pane, turn.id, (each) => ({ ...each, answer: { ...each.answer!, edited: true } })),
      );
      toast("Thank you, your answer is recorded");
      onClose();
    } catch (problem) {
      setError(problem instanceof ApiError ? problem.message : "It was not recorded.");
      setBusy(false);
    }
  };
  return (
    <Dialog
      title="Write a better answer"
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" disabled={busy || (!changed && !comment.trim())} onClick={() => void submit()}>Send</Button>
        </>
      }
    >
      {error && <Note tone="bad">{error}</Note>}
      <Field label="The answer as it should have been">
        {(ids) => <textarea {...ids} rows={8} autoFocus value={edit} onChange={(event) => setEdit(event.target.value)} />}
      </Field>
      <Field label="What was wrong" hint="optional">
        {(ids) => <textarea {...ids} rows={2} value={comment} onChange={(event) => setComment(event.target.value)} />}
      </Field>
      <label className="check">
        <input type="checkbox" checked={consent} onChange={(event) => setConsent(event.target.checked)} />
        <span>It may be used to improve models</span>
      </label>
    </Dialog>
  );
}
