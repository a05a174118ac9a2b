// A question to an agent, its steps as they come, and its answer.
import { useRef, useState, type ReactNode } from "react";
import { ask, NOTHING_SET } from "../../api/ask";
import { ApiError } from "../../api/client";
import type { Notice } from "../../api/types";
import { Link, path } from "../../lib/route";
import { Badge, Button, Field } from "../../ui/controls";
import { Note } from "../../ui/states";

const KINDS: Record<string, string> = { tool_call: "call", tool_result: "result", handoff: "handoff", approval_pending: "waits", agent_limit_reached: "limit" };

interface Told {
  text: string;
  notices: Notice[];
  run: string;
  error: string;
  busy: boolean;
}

const NOTHING: Told = { text: "", notices: [], run: "", error: "", busy: false };

export function Trial({ name }: { name: string }): ReactNode {
  const [question, setQuestion] = useState("");
  const [told, setTold] = useState<Told>();
  const stopping = useRef<AbortController>(undefined);
  const start = async (): Promise<void> => {
    stopping.current = new AbortController();
    setTold({ ...NOTHING, busy: true });
    const add = (by: (old: Told) => Partial<Told>): void => setTold((old) => ({ ...(old ?? NOTHING), ...by(old ?? NOTHING) }));
    try {
      for await (const piece of ask(name, [{ role: "user", content: question.trim() }], NOTHING_SET, stopping.current.signal)) {
        if (piece.kind === "head") add(() => ({ run: piece.run }));
        else if (piece.kind === "text") add((old) => ({ text: old.text + piece.text }));
        else if (piece.kind === "notices") add((old) => ({ notices: [...old.notices, ...piece.notices] }));
      }
    } catch (error) {
      if (error instanceof ApiError) add(() => ({ error: error.message }));
    }
    add(() => ({ busy: false }));
  };
  return (
    <section className="stack" aria-label="Try it">
      <form
        className="card stack"
        onSubmit={(event) => {
          event.preventDefault();
          void start();
        }}
      >
        <Field label="Question" hint="its tools are really called">{(ids) => <textarea {...ids} rows={3} value={question} onChange={(event) => setQuestion(event.target.value)} />}</Field>
        <div className="row">
          <Button kind="primary" icon="send" type="submit" disabled={!question.trim() || told?.busy}>Ask</Button>
          {told?.busy && <Button icon="stop" onClick={() => stopping.current?.abort()}>Stop</Button>}
        </div>
      </form>
      {told && (
        <div className="stack" aria-live="polite">
          {told.error && <Note tone="bad">{told.error}</Note>}
          <ol className="timeline" aria-label="Steps">
            {told.notices.map((notice, index) => (
              <li key={index} className={`run-step ${notice.code === "approval_pending" ? "asked" : ""}`}>
                <div><Badge tone={notice.code === "tool_call" ? "accent" : notice.code === "approval_pending" ? "warn" : "plain"}>{KINDS[notice.code] ?? notice.code}</Badge></div>
                <p className="said breaking">{notice.text}</p>
              </li>
            ))}
          </ol>
          {told.busy && !told.text && <p className="waiting" role="status"><span className="spinner" aria-hidden="true" />The agent works …</p>}
          {told.text && <pre className="wrapped" tabIndex={0} aria-label="Answer">{told.text}</pre>}
          {told.run && !told.busy && <p><Link to={path("runs", told.run)}>Open its run</Link></p>}
        </div>
      )}
    </section>
  );
}
