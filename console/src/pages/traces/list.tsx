// The latest traces, by what was asked, how it went and how long it took.
import { useEffect, useState, type FormEvent, type ReactNode } from "react";
import { get } from "../../api/client";
import type { List, Model, TraceRow } from "../../api/types";
import { count, milliseconds, moment, money } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { go, Link, path, usePlace } from "../../lib/route";
import { Badge, Button, IconButton } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";

const FILTERS = ["model", "operation", "status", "least_ms"] as const;
const SLOW = ["100", "500", "1000", "5000", "15000"];

export function TraceList(): ReactNode {
  const { query } = usePlace();
  const chosen = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""])) as Record<(typeof FILTERS)[number], string>;
  const asked = new URLSearchParams(FILTERS.filter((name) => chosen[name]).map((name) => [name, chosen[name]]));
  const url = `/v1/traces?${new URLSearchParams([...asked, ["limit", "50"]])}`;
  const first = useResource(url, (signal) => get<List<TraceRow>>(url, signal));
  const models = useResource("models", (signal) => get<List<Model>>("/v1/models", signal));
  const [older, setOlder] = useState<{ rows: TraceRow[]; more: boolean; busy: boolean }>();
  useEffect(() => setOlder(undefined), [url, first.data]);

  const set = (name: string, value: string): void => {
    if (value) asked.set(name, value);
    else asked.delete(name);
    go(`${path("traces")}${asked.size ? `?${asked}` : ""}`);
  };
  const more = async (rows: TraceRow[]): Promise<void> => {
    setOlder((old) => ({ rows: old?.rows ?? [], more: true, busy: true }));
    const next = await get<List<TraceRow>>(`${url}&before=${rows.at(-1)!.start_ns}`).catch(() => undefined);
    setOlder((old) => ({
      rows: [...(old?.rows ?? []), ...(next?.data ?? [])],
      more: next ? next.has_more === true : true,
      busy: false,
    }));
  };
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <h1>Traces</h1>
          <p className="muted">Every request, with each step it took.</p>
        </div>
        <OpenById />
      </header>
      <div className="filters" role="group" aria-label="Filters">
        <label>
          <span>Model or application</span>
          <select value={chosen.model} onChange={(event) => set("model", event.target.value)}>
            <option value="">Any</option>
            {[...new Set([chosen.model, ...(models.data?.data ?? []).map((model) => model.id)])].filter(Boolean).map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label>
          <span>Kind</span>
          <select value={chosen.operation} onChange={(event) => set("operation", event.target.value)}>
            <option value="">All</option>
            <option value="chat">chat</option>
            <option value="text_completion">text completion</option>
            <option value="embeddings">embeddings</option>
            <option value="rerank">rerank</option>
            <option value="search">search</option>
          </select>
        </label>
        <label>
          <span>Duration</span>
          <select value={chosen.least_ms} onChange={(event) => set("least_ms", event.target.value)}>
            <option value="">Any</option>
            {SLOW.map((each) => <option key={each} value={each}>{milliseconds(Number(each))} or more</option>)}
          </select>
        </label>
        <label className="check">
          <input type="checkbox" checked={chosen.status === "error"} onChange={(event) => set("status", event.target.checked ? "error" : "")} />
          <span>Failed only</span>
        </label>
        <IconButton icon="refresh" label="Refresh" onClick={first.reload} disabled={first.loading} />
      </div>
      <Loaded of={first} what="Looking for traces">
        {(page) => {
          const rows = [...page.data, ...(older?.rows ?? [])];
          if (rows.length === 0) {
            return asked.size ? (
              <Empty icon="traces" title="No trace fits these filters" action={<Button onClick={() => go(path("traces"))}>Clear the filters</Button>} />
            ) : (
              <Empty icon="traces" title="Nothing has been asked yet">
                Ask something in the <Link to={path("chat")}>chat</Link> or through the API, and it appears here.
              </Empty>
            );
          }
          return (
            <>
              <Table rows={rows} />
              {(older ? older.more : page.has_more) && (
                <div className="row centre"><Button disabled={older?.busy} onClick={() => void more(rows)}>{older?.busy ? "Loading …" : "Older traces"}</Button></div>
              )}
            </>
          );
        }}
      </Loaded>
    </div>
  );
}

function Table({ rows }: { rows: TraceRow[] }): ReactNode {
  const longest = Math.max(...rows.map((row) => row.duration_ms));
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label="Traces">
      <table className="table clickable">
        <thead>
          <tr>
            <th>Time</th>
            <th>Model or application</th>
            <th>Outcome</th>
            <th className="number">First token</th>
            <th className="wide">Duration</th>
            <th className="number">Tokens</th>
            <th className="number">Cost</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.id + row.started_at} onClick={() => go(path("traces", row.id))}>
              <td className="nowrap">
                <Link to={path("traces", row.id)} onClick={(event) => event.stopPropagation()}>{moment(row.started_at)}</Link>
              </td>
              <td>
                <strong>{row.model ?? row.name}</strong>
                <span className="muted small block">{row.operation}{row.answered_by && row.answered_by !== row.model ? ` · by ${row.answered_by}` : ""}</span>
              </td>
              <td><Outcome row={row} /></td>
              <td className="number">{row.ttft_ms === null ? "–" : milliseconds(row.ttft_ms)}</td>
              <td className="wide">
                <span className="meter-row">
                  <span className="meter"><span style={{ width: `${Math.max(1, (100 * row.duration_ms) / longest)}%` }} /></span>
                  <span className="nowrap">{milliseconds(row.duration_ms)}</span>
                </span>
              </td>
              <td className="number nowrap">{row.input_tokens || row.output_tokens ? `${count(row.input_tokens)} + ${count(row.output_tokens)}` : "–"}</td>
              <td className="number">{money(row.cost_usd)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Outcome({ row }: { row: Pick<TraceRow, "status" | "error" | "cache"> }): ReactNode {
  if (row.status === "error") return <Badge tone="bad">{(row.error ?? "failed").replaceAll("_", " ")}</Badge>;
  if (row.error) return <Badge tone="warn">{row.error.replaceAll("_", " ")}</Badge>;
  if (row.cache === "hit" || row.cache === "semantic") return <Badge tone="accent">from the cache</Badge>;
  return <Badge tone="good">answered</Badge>;
}

function OpenById(): ReactNode {
  const [id, setId] = useState("");
  const open = (event: FormEvent): void => {
    event.preventDefault();
    if (id.trim()) go(path("traces", id.trim()));
  };
  return (
    <form className="row" onSubmit={open}>
      <input aria-label="Trace id" placeholder="Open by trace id" value={id} onChange={(event) => setId(event.target.value)} spellCheck={false} />
      <Button type="submit" disabled={!id.trim()}>Open</Button>
    </form>
  );
}
