// The answer to the customer, or a note; a suggestion is taken with a key and may be changed.
import { useEffect, useState, type ReactNode, type RefObject } from "react";
import { ApiError, post } from "../../api/client";
import { caseUrl, type CaseView, type Suggestion } from "../../api/desk";
import { Choice } from "../../ui/controls";
import { Note } from "../../ui/states";

export interface Draft {
  text: string;
  // The suggestion that the text was made of; empty: none.
  suggestion: string;
}

interface ReplyProps {
  of: CaseView;
  // The identity of whoever looks; undefined while it is read.
  me: string | undefined;
  draft: Draft;
  onDraft: (draft: Draft) => void;
  onSent: () => void;
  input: RefObject<HTMLTextAreaElement | null>;
  suggestions: Suggestion[];
  onUse: (chosen: Suggestion) => void;
}

export function Reply({ of, me, draft, onDraft, onSent, input, suggestions, onUse }: ReplyProps): ReactNode {
  const [kind, setKind] = useState<"answer" | "note">("answer");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey) return;
      const typing = event.target instanceof Element && event.target.closest("input, textarea, select, dialog");
      const chosen = suggestions[Number(event.key) - 1];
      if (chosen && (event.altKey ? typing !== null : !typing)) {
        event.preventDefault();
        onUse(chosen);
      } else if (event.key === "r" && !typing && !event.altKey) {
        event.preventDefault();
        input.current?.focus();
      }
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [suggestions, onUse, input]);
  if (of.status === "closed") return <p className="reply muted">The case is closed{of.resolution ? `: ${of.resolution}` : ""}.</p>;
  const others = of.assignee !== null && me !== undefined && of.assignee.id !== me && kind === "answer";
  const send = async (): Promise<void> => {
    const text = draft.text.trim();
    if (!text || busy || others) return;
    setBusy(true);
    setError("");
    try {
      await post(`${caseUrl(of.number)}/messages`, { text, note: kind === "note", ...(draft.suggestion && kind === "answer" && { suggestion: draft.suggestion }) });
      onSent();
    } catch (failed) {
      setError(failed instanceof ApiError ? failed.message : "This was not sent");
    } finally {
      setBusy(false);
    }
  };
  return (
    <form className="reply" onSubmit={(event) => { event.preventDefault(); void send(); }}>
      {error && <Note tone="bad">{error}</Note>}
      <div className="reply-box">
        <textarea
          ref={input}
          rows={3}
          aria-label={kind === "note" ? "Note" : "Answer"}
          placeholder={kind === "note" ? "A note that people at the desk see" : others ? `${of.assignee?.name || "Somebody else"} answers this case` : "Answer the customer"}
          value={draft.text}
          onChange={(event) => onDraft({ ...draft, text: event.target.value, suggestion: event.target.value ? draft.suggestion : "" })}
          onKeyDown={(event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
              event.preventDefault();
              void send();
            }
          }}
        />
      </div>
      <div className="between">
        <Choice label="What to write" value={kind} onChange={setKind} options={[{ value: "answer", label: "Answer" }, { value: "note", label: "Note" }]} />
        <button type="submit" className="button primary" disabled={!draft.text.trim() || busy || others}><span>{kind === "note" ? "Keep note" : of.assignee === null ? "Take and send" : "Send"}</span></button>
      </div>
      <p className="muted small wide-only"><kbd>Ctrl</kbd> <kbd>Enter</kbd> to send, <kbd>1</kbd> (while you write <kbd>Alt</kbd> <kbd>1</kbd>) to take a suggestion, <kbd>r</kbd> to write, <kbd>j</kbd> <kbd>k</kbd> for the next case</p>
    </form>
  );
}
