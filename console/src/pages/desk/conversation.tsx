// What was said, oldest first; the newest is in sight.
import { useEffect, useRef, type ReactNode } from "react";
import type { CaseMessage, CaseView } from "../../api/desk";
import { moment } from "../../lib/format";

const WHO: Record<CaseMessage["author"], string> = { customer: "Customer", agent: "Agent", person: "Desk", note: "Note", event: "" };

export function Conversation({ of }: { of: CaseView }): ReactNode {
  const end = useRef<HTMLDivElement>(null);
  const last = of.messages.at(-1)?.id;
  useEffect(() => {
    // Some browsers return a promise, which an effect may not.
    end.current?.scrollIntoView({ block: "end" });
  }, [last]);
  return (
    <div className="talk" tabIndex={0} role="log" aria-label="Conversation">
      {of.body && <blockquote className="utterance customer"><p className="speaker">The customer asked to pass on</p><p>{of.body}</p></blockquote>}
      {of.messages.length === 0 && !of.body && <p className="muted">Nothing was said yet.</p>}
      {of.messages.map((each) => (
        <article key={each.id} className={`utterance ${each.author}`}>
          <p className="speaker"><strong>{each.name || WHO[each.author]}</strong>{each.author === "note" && each.name && " · note"} <time className="muted small">{moment(each.created_at)}</time></p>
          <p className="words">{each.text}</p>
        </article>
      ))}
      <div ref={end} />
    </div>
  );
}
