// The label of one answer. Digits choose on the marked scale and go to the next; letters do the rest.
import { useLayoutEffect, useRef, useState, type ReactNode } from "react";
import type { Definition, Task } from "../../api/review";
import { plural } from "../../lib/format";
import { Button } from "../../ui/controls";

export interface Said {
  labels: Record<string, number>;
  approved: boolean;
  errors: string[];
  comment: string;
  edit?: string;
}

interface Props {
  definition: Definition;
  task: Task;
  done: number;
  onSubmit: (said: Said) => Promise<void>;
  onLeave: (what: "skip" | "return") => Promise<boolean>;
}

const TYPING = "input, textarea, select, dialog, [contenteditable]";

export function LabelForm({ definition, task, done, onSubmit, onLeave }: Props): ReactNode {
  const { criteria, errors: kinds } = definition;
  const [labels, setLabels] = useState<Record<string, number>>({});
  const [approved, setApproved] = useState<boolean>();
  const [errors, setErrors] = useState<string[]>([]);
  const [comment, setComment] = useState("");
  const [edit, setEdit] = useState<string>();
  // The scale that digits are for; the place behind the last is that of the errors.
  const [marked, setMarked] = useState(0);
  const [busy, setBusy] = useState(false);
  const editing = useRef<HTMLTextAreaElement>(null);
  const commenting = useRef<HTMLTextAreaElement>(null);
  const missing = criteria.filter((each) => each.required && labels[each.name] === undefined);
  const ready = missing.length === 0 && approved !== undefined && !busy;

  const choose = (place: number, label: number): void => {
    const criterion = criteria[place]!;
    setLabels((before) => ({ ...before, [criterion.name]: label }));
    setMarked(Math.min(place + 1, criteria.length));
  };
  const toggle = (name: string): void => setErrors((before) => (before.includes(name) ? before.filter((each) => each !== name) : [...before, name]));
  const submit = async (): Promise<void> => {
    if (!ready) return;
    setBusy(true);
    await onSubmit({ labels, approved, errors, comment: comment.trim(), ...(edit !== undefined && edit.trim() && edit.trim() !== task.answer.trim() ? { edit: edit.trim() } : {}) });
    setBusy(false);
  };
  const leave = async (what: "skip" | "return"): Promise<void> => {
    if (busy) return;
    setBusy(true);
    await onLeave(what);
    setBusy(false);
  };
  const startEdit = (): void => {
    setEdit((before) => before ?? task.answer);
    setTimeout(() => editing.current?.focus());
  };

  // Before the answer is seen: a key that is pressed at once counts.
  useLayoutEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        return void submit();
      }
      const typing = event.target instanceof Element && event.target.closest(TYPING);
      if (event.key === "Escape" && typing) return (event.target as HTMLElement).blur();
      if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
      const digit = Number(event.key) - 1;
      const letters: Record<string, () => void> = {
        a: () => setApproved(true),
        r: () => setApproved(false),
        x: () => setMarked(criteria.length),
        e: startEdit,
        c: () => commenting.current?.focus(),
        s: () => void leave("skip"),
        ArrowDown: () => setMarked((place) => Math.min(place + 1, criteria.length)),
        ArrowUp: () => setMarked((place) => Math.max(place - 1, 0)),
        Enter: () => void submit(),
      };
      if (event.key === "Enter" && event.target instanceof Element && event.target.closest("button, a, summary")) return;
      if (Number.isInteger(digit) && digit >= 0) {
        if (marked < criteria.length && digit < criteria[marked]!.scale.length) choose(marked, digit);
        else if (marked === criteria.length && digit < kinds.length) toggle(kinds[digit]!.name);
        else return;
      } else if (letters[event.key]) letters[event.key]!();
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  });

  return (
    <form className="card stack review-form" aria-label="Your label" onSubmit={(event) => event.preventDefault()}>
      {criteria.map((each, place) => (
        <fieldset key={each.name} className={place === marked ? "marked" : undefined}>
          <legend>{each.title || each.name}{!each.required && <span className="muted small"> (if it applies)</span>}</legend>
          {each.help && <p className="muted small">{each.help}</p>}
          <div className="choice">
            {each.scale.map((label, value) => (
              <button key={label} type="button" aria-pressed={labels[each.name] === value} onClick={() => choose(place, value)}><kbd>{value + 1}</kbd> {label}</button>
            ))}
          </div>
        </fieldset>
      ))}
      {kinds.length > 0 && (
        <fieldset className={marked === criteria.length ? "marked" : undefined}>
          <legend>Errors <kbd>x</kbd></legend>
          <div className="review-errors">
            {kinds.map((each, place) => (
              <button key={each.name} type="button" title={each.help || each.name} aria-pressed={errors.includes(each.name)} onClick={() => toggle(each.name)}>{place < 9 && <kbd>{place + 1}</kbd>} {each.title || each.name}</button>
            ))}
          </div>
        </fieldset>
      )}
      <fieldset>
        <legend>Is it good enough to be sent?</legend>
        <div className="choice">
          <button type="button" aria-pressed={approved === true} onClick={() => setApproved(true)}><kbd>a</kbd> Approve</button>
          <button type="button" aria-pressed={approved === false} onClick={() => setApproved(false)}><kbd>r</kbd> Reject</button>
        </div>
      </fieldset>
      {edit === undefined ? (
        <Button icon="edit" onClick={startEdit}>Edit the answer (e)</Button>
      ) : (
        <label className="field">The answer as it should be<textarea ref={editing} rows={6} value={edit} maxLength={100_000} onChange={(event) => setEdit(event.target.value)} /></label>
      )}
      <label className="field"><span>Comment <kbd>c</kbd></span><textarea ref={commenting} rows={2} value={comment} maxLength={10_000} onChange={(event) => setComment(event.target.value)} /></label>
      <div className="row wraps review-actions">
        <Button kind="primary" icon="check" disabled={!ready} onClick={() => void submit()}>Submit (Ctrl+Enter)</Button>
        <Button disabled={busy} onClick={() => void leave("skip")}>Skip (s)</Button>
        <Button kind="quiet" disabled={busy} onClick={() => void leave("return")}>Hand back</Button>
      </div>
      <p className="muted small" role="status">{done > 0 ? `${plural(done, "answer")} labelled` : "Digits choose on the marked scale, arrows move the mark."}</p>
    </form>
  );
}
