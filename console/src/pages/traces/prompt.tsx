// What was asked, as the guards let it pass, what was found for it, and what was answered.
import type { ReactNode } from "react";
import { ApiError, get } from "../../api/client";
import type { EventRecord } from "../../api/types";
import { count } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Markdown } from "../../lib/markdown";
import { answerOf } from "../../lib/recorded";
import { Badge } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";
import { Hits } from "./found";

interface Sent {
  id: string;
  model: string;
  input_tokens: number;
  messages?: { role: string; content: unknown }[];
  rendered?: string;
  prompt?: string;
}

export function PromptView({ trace, events }: { trace: string; events: EventRecord[] }): ReactNode {
  const answers = events.filter((event) => event.kind === "answer" || event.kind === "replay");
  if (answers.length === 0) {
    return <Empty icon="prompts" title="No answer is recorded of this trace">Searches and embeddings have none, and texts are deleted after their retention period.</Empty>;
  }
  return (
    <>
      <Assembled trace={trace} />
      {answers.map((event) => <Asked key={event.id} trace={trace} event={event} retrieval={events.find((each) => each.kind === "retrieval")} />)}
    </>
  );
}

// What models were really sent, call by call: with the passages, as the template renders it.
function Assembled({ trace }: { trace: string }): ReactNode {
  const url = `/v1/traces/${encodeURIComponent(trace)}/prompt`;
  const sent = useResource(url, (signal) =>
    get<{ calls: Sent[] }>(url, signal).catch((error: unknown) => {
      if (error instanceof ApiError && error.status === 404) return { calls: [] };
      throw error;
    }),
  );
  return (
    <Loaded of={sent} what="Reading what models were sent">
      {(found) =>
        found.calls.length === 0 ? (
          <p className="muted small">What models were sent, with the passages in it, is kept where <code>telemetry.store_prompts</code> is on.</p>
        ) : (
          <section className="stack" aria-label="As assembled">
            <h2>As assembled</h2>
            {found.calls.map((call) => <Call key={call.id} call={call} />)}
            <h2>As asked</h2>
          </section>
        )
      }
    </Loaded>
  );
}

function Call({ call }: { call: Sent }): ReactNode {
  return (
    <div className="card stack">
      <div className="between"><h3>{call.model}</h3><span className="muted small">{count(call.input_tokens)} tokens in</span></div>
      {call.prompt !== undefined && <p className="prompt-text">{call.prompt}</p>}
      {(call.messages ?? []).map((message, index) => (
        <div key={index} className="said-part">
          <Badge tone={message.role === "user" ? "accent" : "plain"}>{message.role}</Badge>
          <p className="prompt-text">{typeof message.content === "string" ? message.content : JSON.stringify(message.content, null, 1)}</p>
        </div>
      ))}
      {call.rendered && (
        <details>
          <summary>Rendered by the template</summary>
          <pre tabIndex={0}>{call.rendered}</pre>
        </details>
      )}
    </div>
  );
}

function Asked({ trace, event, retrieval }: { trace: string; event: EventRecord; retrieval?: EventRecord }): ReactNode {
  const found = answerOf(event);
  const prompt = event.facts.prompt;
  if (!found) return <Empty icon="prompts" title="The texts are no longer kept" />;
  return (
    <section className="stack" aria-label="Prompt">
      {typeof prompt === "object" && prompt !== null && <p className="small">Prompt <code>{JSON.stringify(prompt)}</code></p>}
      {found.messages.map((message, index) => <Message key={index} role={message.role} text={message.content} />)}
      {retrieval && <Hits trace={trace} retrieval={retrieval} cited={found.citations} />}
      <div className="card said-card answered">
        <Badge tone="good">answer</Badge>
        <div className="prose said"><Markdown text={found.text} /></div>
      </div>
    </section>
  );
}

export function Message({ role, text }: { role: string; text: string }): ReactNode {
  return (
    <div className="card said-card">
      <Badge tone={role === "user" ? "accent" : "plain"}>{role}</Badge>
      <p className="prompt-text">{text}</p>
    </div>
  );
}
