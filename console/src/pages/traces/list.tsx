// The latest traces, by what was asked, how it went and how long it took.
import { useEffect, useState, type FormEvent, type ReactNode } from "react";
import { get } from "../../api/client";
import type { List, Model, TraceRow } from "../../api/types";
import { count, localMoment, milliseconds, moment, money } from "../../lib/format";
import { useKeyNames } from "../../lib/keys";
import { useResource } from "../../lib/resource";
import { go, Link, path, usePlace } from "../../lib/route";
import { Badge, Button, IconButton } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";

const FILTERS = ["q", "model", "operation", "status", "least_ms", "key_id", "session_id", "answered", "since", "until"] as const;
const SLOW = ["100", "500", "1000", "5000", "15000"];

export function TraceList(): ReactNode {
  const { query } = usePlace();
  const chosen = Object.fromEntries(FILTERS.map((name) => [name, query.get(name) ?? ""])) as Record<(typeof FILTERS)[number], string>;
  const asked = new URLSearchParams(FILTERS.filter((name) => chosen[name]).map((name) => [name, chosen[name]]));
  const url = `/v1/traces?${new URLSearchParams([...asked, ["limit", "50"]])}`;
  const first = useResource(url, (signal) => get<List<TraceRow>>(url, signal));
  const models = useResource("models", (signal) => get<List<Model>>("/v1/models", signal));
  const names = useKeyNames();
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
          <p className="muted">Every request with its steps.</p>
        </div>
        <OpenById />
      </header>
      <div className="filters" role="group" aria-label="Filters">
        <Words value={chosen.q} onSearch={(words) => set("q", words)} />
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
        <label>
          <span>Key</span>
          <select value={chosen.key_id} onChange={(event) => set("key_id", event.target.value)}>
            <option value="">Any</option>
            {[...new Map([...(chosen.key_id ? [[chosen.key_id, chosen.key_id] as const] : []), ...names])].map(([id, name]) => <option key={id} value={id}>{name}</option>)}
          </select>
        </label>
        <Moment label="From" value={chosen.since} onChange={(value) => set("since", value)} />
        <Moment label="Until" value={chosen.until} onChange={(value) => set("until", value)} />
        <label className="check">
          <input type="checkbox" checked={chosen.answered === "false"} onChange={(event) => set("answered", event.target.checked ? "false" : "")} />
          <span>Not in the documents</span>
        </label>
        <label className="check">
          <input type="checkbox" checked={chosen.status === "error"} onChange={(event) => set("status", event.target.checked ? "error" : "")} />
          <span>Failed only</span>
        </label>
        <IconButton icon="refresh" label="Refresh" onClick={first.reload} disabled={first.loading} />
      </div>
      {chosen.session_id && <p className="row">Only of the session <Badge tone="accent">{chosen.session_id}</Badge> <Button kind="quiet" onClick={() => set("session_id", "")}>All sessions</Button></p>}
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
              <Table rows={rows} names={names} onSession={(id) => set("session_id", id)} />
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

// The words are looked for when Enter is pressed or the box is left.
function Words({ value, onSearch }: { value: string; onSearch: (words: string) => void }): ReactNode {
  const [words, setWords] = useState(value);
  useEffect(() => setWords(value), [value]);
  const search = (): void => {
    if (words.trim() !== value) onSearch(words.trim());
  };
  return (
    <label className="words">
      <span>Question contains</span>
      <input
        type="search"
        value={words}
        maxLength={256}
        placeholder="Words of a question"
        onChange={(event) => setWords(event.target.value)}
        onBlur={search}
        onKeyDown={(event) => {
          if (event.key === "Enter") search();
        }}
      />
    </label>
  );
}

// A moment as the browser's clock shows it; addresses and the server have Unix seconds.
function Moment({ label, value, onChange }: { label: string; value: string; onChange: (value: string) => void }): ReactNode {
  return (
    <label>
      <span>{label}</span>
      <input type="datetime-local" value={value ? localMoment(Number(value)) : ""} onChange={(event) => onChange(event.target.value ? String(new Date(event.target.value).getTime() / 1000) : "")} />
    </label>
  );
}

interface TableProps {
  rows: TraceRow[];
  names: ReadonlyMap<string, string>;
  onSession: (id: string) => void;
}

function Table({ rows, names, onSession }: TableProps): ReactNode {
  const longest = Math.max(...rows.map((row) => row.duration_ms));
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label="Traces">
      <table className="table clickable">
        <thead>
          <tr>
            <th>Time</th>
            <th>Question</th>
            <th>Key</th>
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
              <td className="asked">
                {row.question ? <span className="question">{row.question}</span> : <span className="muted">no question kept</span>}
                <span className="small block"><strong>{row.model ?? row.name}</strong> <span className="muted">{row.operation}{row.answered_by && row.answered_by !== row.model ? ` · by ${row.answered_by}` : ""}</span></span>
              </td>
              <td>
                <span className="nowrap" title={row.key_id ?? undefined}>{row.key_id ? (names.get(row.key_id) ?? row.key_id) : "–"}</span>
                {row.session_id && (
                  <button type="button" className="plain-link small block" title="All of this session" onClick={(event) => { event.stopPropagation(); onSession(row.session_id!); }}>{named(row.session_id)}</button>
                )}
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

export function Outcome({ row }: { row: Pick<TraceRow, "status" | "error" | "cache" | "answered"> }): ReactNode {
  if (row.status === "error") return <Badge tone="bad">{(row.error ?? "failed").replaceAll("_", " ")}</Badge>;
  if (row.error) return <Badge tone="warn">{row.error.replaceAll("_", " ")}</Badge>;
  if (row.answered === false) return <Badge tone="warn">not in the documents</Badge>;
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

// A conversation of the console has a long name, which says nothing.
function named(session: string): string {
  return session.startsWith("own:") ? `conversation ${session.slice(4, 10)}` : session;
}
