// One trace: its steps on the time that they took, what each cost, and the facts that were recorded.
import { useState, type CSSProperties, type ReactNode } from "react";
import { ApiError, get } from "../../api/client";
import type { EventRecord, List, Span } from "../../api/types";
import { count, milliseconds, moment, money } from "../../lib/format";
import { Markdown } from "../../lib/markdown";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { rows, total, type Row } from "../../lib/waterfall";
import { Badge, Choice, IconButton } from "../../ui/controls";
import { Icon } from "../../ui/icon";
import { Loaded } from "../../ui/states";
import { copy } from "../../ui/toast";

// Spans are written a moment after the answer has ended.
async function patiently(id: string, signal: AbortSignal): Promise<Span[]> {
  for (let tries = 0; ; tries++) {
    try {
      return (await get<{ spans: Span[] }>(`/v1/traces/${encodeURIComponent(id)}`, signal)).spans;
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404 || tries === 3) throw error;
      await new Promise((resolve) => setTimeout(resolve, 400));
    }
  }
}

export function TraceView({ id }: { id: string }): ReactNode {
  const spans = useResource(`trace ${id}`, (signal) => patiently(id, signal));
  const events = useResource(`events ${id}`, (signal) => get<List<EventRecord>>(`/v1/events?limit=100&order=asc&trace_id=${encodeURIComponent(id)}`, signal));
  const [view, setView] = useState<"steps" | "facts">("steps");
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <Link to={path("traces")} className="back"><Icon name="left" size={15} />Traces</Link>
          <h1>Trace</h1>
          <p className="muted mono row">
            {id}
            <IconButton icon="copy" size={14} label="Copy the trace id" onClick={() => void copy(id, "Trace id")} />
          </p>
        </div>
        <Choice
          label="What is shown"
          value={view}
          options={[{ value: "steps", label: "Steps" }, { value: "facts", label: `Facts${events.data ? ` (${events.data.data.length})` : ""}` }]}
          onChange={setView}
        />
      </header>
      {view === "steps" ? (
        <Loaded of={spans} what="Reading the trace">{(found) => <Steps spans={found} />}</Loaded>
      ) : (
        <Loaded of={events} what="Reading the facts">{(found) => <Facts events={found.data} />}</Loaded>
      )}
    </div>
  );
}

function number(span: Span, name: string): number {
  const value = span.attributes[name];
  return typeof value === "number" ? value : 0;
}

function Steps({ spans }: { spans: Span[] }): ReactNode {
  const all = rows(spans);
  const whole = total(spans);
  const root = all[0]!.span;
  const [openId, setOpenId] = useState(root.id);
  const open = all.find((row) => row.span.id === openId) ?? all[0]!;
  const cost = spans.reduce((sum, span) => sum + number(span, "mainspring.cost_nanousd"), 0) / 1e9;
  const figures: [string, ReactNode][] = [
    ["Model or application", String(root.attributes["gen_ai.request.model"] ?? root.name)],
    ["Started", moment(root.started_at)],
    ["Duration", milliseconds(whole)],
    ["First token", root.attributes["mainspring.ttft_s"] === undefined ? "–" : milliseconds(1000 * number(root, "mainspring.ttft_s"))],
    ["Tokens", `${count(number(root, "gen_ai.usage.input_tokens"))} in, ${count(number(root, "gen_ai.usage.output_tokens"))} out`],
    ["Cost", money(cost)],
  ];
  return (
    <>
      <dl className="figures">
        {figures.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}
      </dl>
      <div className="trace-body">
        <div className="waterfall scroll" tabIndex={0} role="group" aria-label="Steps of the trace">
          <div className="waterfall-head" aria-hidden="true">
            <span>Step</span>
            <span className="axis">{[0, 0.25, 0.5, 0.75, 1].map((at) => <span key={at}>{milliseconds(whole * at)}</span>)}</span>
            <span className="number">Tokens</span>
            <span className="number">Cost</span>
          </div>
          <ul>
            {all.map((row) => <StepRow key={row.span.id} row={row} open={row.span.id === open.span.id} onOpen={() => setOpenId(row.span.id)} />)}
          </ul>
        </div>
        <StepFacts row={open} />
      </div>
    </>
  );
}

function kindOf(span: Span): string {
  if ("gen_ai.provider.name" in span.attributes) return "model";
  if (span.name === "queue") return "queue";
  return span.name === "request" ? "request" : "step";
}

// The duration stands in its bar, after it, or before it where neither has room.
function where(row: Row): "inside" | "after" | "before" {
  if (row.width > 22) return "inside";
  return row.left + row.width > 80 ? "before" : "after";
}

function beside(row: Row): CSSProperties {
  switch (where(row)) {
    case "inside":
      return { right: `calc(${100 - row.left - row.width}% + 7px)` };
    case "after":
      return { left: `calc(${row.left + row.width}% + 5px)` };
    case "before":
      return { right: `calc(${100 - row.left}% + 5px)` };
  }
}

function StepRow({ row, open, onOpen }: { row: Row; open: boolean; onOpen: () => void }): ReactNode {
  const { span } = row;
  const tokens = number(span, "gen_ai.usage.input_tokens") + number(span, "gen_ai.usage.output_tokens");
  const cost = number(span, "mainspring.cost_nanousd") / 1e9;
  return (
    <li>
      <button type="button" className={`span-row ${open ? "open" : ""}`} aria-pressed={open} onClick={onOpen}>
        <span className="span-name" style={{ paddingLeft: `${row.depth * 10}px` }}>
          {span.status === "error" && <span className="bad" title="failed"><Icon name="warning" size={14} /></span>}
          <span>{span.name}</span>
        </span>
        <span className="span-track">
          <span className={`span-bar ${kindOf(span)} ${span.status}`} style={{ left: `${row.left}%`, width: `max(2px, ${row.width}%)` }} />
          <span className={`span-time ${where(row)} ${kindOf(span)} ${span.status}`} style={beside(row)}>{milliseconds(span.duration_ms)}</span>
        </span>
        <span className="number small">{tokens ? count(tokens) : ""}</span>
        <span className="number small">{cost ? money(cost) : ""}</span>
      </button>
    </li>
  );
}

function StepFacts({ row }: { row: Row }): ReactNode {
  const { span } = row;
  const attributes = Object.entries(span.attributes);
  return (
    <section className="card step-facts" aria-label={`Facts of ${span.name}`}>
      <h2>{span.name}</h2>
      <p className="row">
        {span.status === "error" ? <Badge tone="bad">failed</Badge> : <Badge tone="good">ok</Badge>}
      </p>
      <dl className="pairs">
        <div><dt>Started after</dt><dd>{milliseconds(row.at)}</dd></div>
        <div><dt>Duration</dt><dd>{milliseconds(span.duration_ms)}</dd></div>
        {row.children > 0 && <div><dt>Without the steps below</dt><dd>{milliseconds(row.own)}</dd></div>}
        {attributes.map(([name, value]) => (
          <div key={name}><dt className="mono">{name}</dt><dd>{Array.isArray(value) ? value.join(", ") : String(value)}</dd></div>
        ))}
      </dl>
    </section>
  );
}

const KINDS: Record<string, string> = { call: "Model call", answer: "Answer", retrieval: "Retrieval", guard: "Guard", feedback: "Feedback" };

function Facts({ events }: { events: EventRecord[] }): ReactNode {
  if (events.length === 0) {
    return <p className="muted">Nothing is recorded of this trace that this key may see.</p>;
  }
  return (
    <ul className="facts-list">
      {events.map((event) => (
        <li key={event.id} className="card">
          <h2>{KINDS[event.kind] ?? event.kind}</h2>
          {event.content && <div className="prose said"><Markdown text={event.content} /></div>}
          <details>
            <summary>Everything that was recorded</summary>
            <pre tabIndex={0}>{JSON.stringify(event.facts, null, 2)}</pre>
          </details>
        </li>
      ))}
    </ul>
  );
}
