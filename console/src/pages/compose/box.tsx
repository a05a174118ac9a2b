// A box for a mail, with the suggestion as pale words behind the cursor: Tab accepts it, Escape dismisses it.
import { useEffect, useId, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { ApiError, post } from "../../api/client";
import { Button } from "../../ui/controls";
import { PAUSE_MS, waits } from "./trigger";
import "../../styles/compose.css";

interface Suggestions {
  id: string | null;
  // What was recorded, also where nothing is suggested; null: no model was asked.
  answer: string | null;
  model: string | null;
  suggestions: { text: string; confidence: number }[];
}

interface Ghost {
  id: string;
  // What is left of it behind the cursor at `at`.
  rest: string;
  at: number;
  confidence: number;
  model: string | null;
}

export type Outcome = "accepted" | "dismissed" | "typed";

interface Props {
  subject: string;
  to: string;
  // A name of this mail, for figures of usage.
  session: string;
  // A version that suggests in place of what serves the tenant; empty: none.
  model?: string;
  // Whether models may learn from the mail.
  consent?: boolean;
  onText?: (text: string) => void;
  onAnswer?: (answer: string) => void;
  onOutcome?: (outcome: Outcome, saved: number) => void;
}

export function ComposeBox({ subject, to, session, model = "", consent = false, onText, onAnswer, onOutcome }: Props): ReactNode {
  const [text, setText] = useState("");
  const [ghost, setGhost] = useState<Ghost>();
  const [problem, setProblem] = useState("");
  const area = useRef<HTMLTextAreaElement>(null);
  const shadow = useRef<HTMLDivElement>(null);
  const caret = useRef(0);
  const dismissed = useRef("");
  const told = useId();

  const tell = (one: Ghost, outcome: Outcome, characters?: number): void => {
    post<{ saved: number }>(`/v1/compose/${one.id}/outcome`, { outcome, ...(characters === undefined ? {} : { characters }) }).then(
      ({ saved }) => onOutcome?.(outcome, saved),
      (error: unknown) => setProblem((error as ApiError).message),
    );
  };

  useEffect(() => {
    if (ghost || dismissed.current === text) return;
    const at = caret.current;
    const [before, after] = [text.slice(0, at), text.slice(at)];
    if (waits(before, after, null)) return;
    const stopping = new AbortController();
    const asking = setTimeout(() => {
      // The server counts characters, and this browser counts halves of some.
      const body = { body: text, cursor: [...before].length, subject, to, session_id: session, ...(model ? { model } : {}) };
      post<Suggestions>("/v1/compose", body, stopping.signal, consent ? { "x-training-consent": "true" } : {}).then(
        ({ id, answer, model: by, suggestions: [first] }) => {
          setProblem("");
          if (answer) onAnswer?.(answer);
          if (id && first && !stopping.signal.aborted) setGhost({ id, rest: first.text, at, confidence: first.confidence, model: by });
        },
        (error: unknown) => {
          if (!stopping.signal.aborted) setProblem(error instanceof ApiError ? error.message : "No suggestion came.");
        },
      );
    }, PAUSE_MS);
    return () => {
      clearTimeout(asking);
      stopping.abort();
    };
  }, [text, subject, to, session, model, consent, onAnswer, ghost]);

  const changed = (next: string, at: number): void => {
    caret.current = at;
    if (ghost) {
      const typed = next.slice(ghost.at, at);
      const before = text.slice(0, ghost.at);
      const goesOn = typed !== "" && next === before + typed + text.slice(ghost.at) && ghost.rest.startsWith(typed);
      if (goesOn && typed !== ghost.rest) setGhost({ ...ghost, rest: ghost.rest.slice(typed.length), at });
      else {
        tell(ghost, "typed");
        setGhost(undefined);
      }
    }
    setText(next);
  };

  const accept = (one: Ghost): void => {
    // A blank behind it, so that the next word can be typed or suggested at once.
    const end = text.slice(one.at);
    const added = one.rest + (end.startsWith(" ") ? "" : " ");
    tell(one, "accepted", one.rest.length);
    caret.current = one.at + added.length;
    setText(text.slice(0, one.at) + added + end);
    setGhost(undefined);
  };

  const pressed = (event: KeyboardEvent<HTMLTextAreaElement>): void => {
    if (!ghost) return;
    if (event.key === "Tab" && !event.shiftKey) {
      event.preventDefault();
      accept(ghost);
    } else if (event.key === "Escape") {
      event.preventDefault();
      tell(ghost, "dismissed");
      dismissed.current = text;
      setGhost(undefined);
    }
  };

  useEffect(() => onText?.(text), [text, onText]);

  // What is accepted is put in by us: the cursor goes behind it.
  useEffect(() => {
    const box = area.current;
    if (box && document.activeElement === box && box.selectionStart !== caret.current) box.setSelectionRange(caret.current, caret.current);
  }, [text]);

  const moved = (): void => {
    const box = area.current;
    if (!box || box.selectionStart === caret.current) return;
    caret.current = box.selectionStart;
    if (ghost && ghost.at !== box.selectionStart) {
      tell(ghost, "dismissed");
      dismissed.current = text;
      setGhost(undefined);
    }
  };

  return (
    <div className="compose-box">
      <div className="compose-text compose-shadow" ref={shadow} aria-hidden="true">
        {text.slice(0, ghost?.at ?? text.length)}
        {ghost && <span className="compose-ghost">{ghost.rest}</span>}
        {ghost ? text.slice(ghost.at) : ""}
        {"\u200b"}
      </div>
      <textarea
        ref={area}
        className="compose-text"
        aria-label="Mail"
        aria-describedby={told}
        placeholder="Write a mail: suggestions start after three words"
        value={text}
        onChange={(event) => changed(event.target.value, event.target.selectionStart)}
        onKeyDown={pressed}
        onSelect={moved}
        onScroll={(event) => {
          if (shadow.current) shadow.current.scrollTop = event.currentTarget.scrollTop;
        }}
      />
      {/* Where there is no Tab key. The box keeps the cursor. */}
      <p className="row"><Button disabled={!ghost} onMouseDown={(event) => event.preventDefault()} onClick={() => ghost && accept(ghost)}>Accept</Button></p>
      <p id={told} className="muted small compose-told" role="status">
        {problem || (ghost ? `“${ghost.rest}”, ${Math.round(100 * ghost.confidence)} %${ghost.model?.includes("@") ? `, by ${ghost.model}` : ""}: Tab accepts it, Escape dismisses it.` : "Suggestions come when you pause.")}
      </p>
    </div>
  );
}
