// The steps of a trace on the time that they took, with the facts of one of them.
import { useState, type CSSProperties, type ReactNode } from "react";
import type { Span } from "../../api/types";
import { count, milliseconds, moment, money } from "../../lib/format";
import { passesOn, title } from "../../lib/layers";
import { rows, total, without, type Row } from "../../lib/waterfall";
import { Badge } from "../../ui/controls";
import { Icon } from "../../ui/icon";

function number(span: Span, name: string): number {
  const value = span.attributes[name];
  return typeof value === "number" ? value : 0;
}

// `children` stand below the figures of the whole.
export function Steps({ spans, children }: { spans: Span[]; children?: ReactNode }): ReactNode {
  const [every, setEvery] = useState(false);
  const whole = total(spans);
  const found = rows(spans);
  const hidden = found.filter((row) => row.depth > 0 && passesOn(row.span.name, row.own, whole, row.children)).length;
  const all = every ? found : without(found, (row) => row.depth > 0 && passesOn(row.span.name, row.own, whole, row.children));
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
      {children}
      {hidden > 0 && (
        <label className="check">
          <input type="checkbox" checked={every} onChange={(event) => setEvery(event.target.checked)} />
          <span>Show the {hidden} layers that only pass the request on</span>
        </label>
      )}
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
          <span>{title(span.name)}</span>
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
      <h2>{title(span.name)}</h2>
      {title(span.name) !== span.name && <p className="muted small">span <code>{span.name}</code></p>}
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
