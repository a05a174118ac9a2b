// The facts that were recorded of a trace: calls, retrievals, decisions, the answer.
import type { ReactNode } from "react";
import type { EventRecord } from "../../api/types";
import { Markdown } from "../../lib/markdown";
import { answerOf } from "../../lib/recorded";

const KINDS: Record<string, string> = { call: "Model call", answer: "Answer", retrieval: "Retrieval", guard: "Guard", feedback: "Feedback", replay: "Replay", tool: "Tool call", score: "Score", cost: "Budget" };

export function Facts({ events }: { events: EventRecord[] }): ReactNode {
  if (events.length === 0) {
    return <p className="muted">There are no facts of this trace that this key may see.</p>;
  }
  return (
    <ul className="facts-list">
      {events.map((event) => (
        <li key={event.id} className="card">
          <h2>{KINDS[event.kind] ?? event.kind}</h2>
          <Text event={event} />
          <details>
            <summary>Everything that was recorded</summary>
            <pre tabIndex={0}>{JSON.stringify(event.facts, null, 2)}</pre>
          </details>
        </li>
      ))}
    </ul>
  );
}

function Text({ event }: { event: EventRecord }): ReactNode {
  // What a call was sent is shown under Prompt.
  if (event.kind === "call") return null;
  const text = event.kind === "answer" || event.kind === "replay" ? answerOf(event)?.text : event.content;
  return text ? <div className="prose said"><Markdown text={text} /></div> : null;
}
