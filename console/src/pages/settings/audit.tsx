// The audit log: what was done by whom, whether the log is whole, and the log as a file.
import { useState, type ReactNode } from "react";
import { ApiError, get, send } from "../../api/client";
import type { List } from "../../api/types";
import { count, moment, plural } from "../../lib/format";
import { useKeyNames } from "../../lib/keys";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { Badge, Button, IconButton } from "../../ui/controls";
import { Empty, Loaded, Note } from "../../ui/states";
import { toast } from "../../ui/toast";

interface Entry {
  id: string;
  number: number;
  created_at: number;
  action: string;
  actor: string;
  target: string;
  trace_id: string | null;
  details: Record<string, unknown>;
  hash: string;
}

interface Report {
  intact: boolean;
  entries: number;
  head: string;
  problems: { number: number; problem: string }[];
}

export function AuditLog(): ReactNode {
  const [action, setAction] = useState("");
  const url = `/v1/audit?limit=50&order=desc${action ? `&action=${encodeURIComponent(action)}` : ""}`;
  const first = useResource(url, (signal) => get<List<Entry>>(url, signal));
  const [older, setOlder] = useState<{ of: string; rows: Entry[]; more: boolean }>();
  const [report, setReport] = useState<Report | ApiError | "busy">();
  const known = older?.of === url ? older : undefined;
  const more = async (rows: Entry[]): Promise<void> => {
    try {
      const next = await get<List<Entry>>(`${url}&after=${encodeURIComponent(rows.at(-1)!.id)}`);
      setOlder({ of: url, rows: [...(known?.rows ?? []), ...next.data], more: next.has_more === true });
    } catch (error) {
      toast((error as ApiError).message);
    }
  };
  const verify = (): void => {
    setReport("busy");
    get<Report>("/v1/audit/verify").then(setReport, setReport);
  };
  return (
    <section className="stack" aria-label="Audit log">
      <div className="section-head">
        <p className="muted">Each entry is chained to the one before it, so changes are detected.</p>
        <span className="row">
          <Button icon="check" disabled={report === "busy"} onClick={verify}>{report === "busy" ? "Verifying …" : "Verify"}</Button>
          <Button icon="file" onClick={() => void download()}>Export</Button>
          <IconButton icon="refresh" label="Refresh" onClick={first.reload} disabled={first.loading} />
        </span>
      </div>
      {report && report !== "busy" && <Verified report={report} />}
      <Loaded of={first} what="Reading the audit log">
        {(page) => {
          const rows = [...page.data, ...(known?.rows ?? [])];
          if (rows.length === 0) {
            return <Empty icon="lock" title="Nothing is logged" action={action ? <Button onClick={() => setAction("")}>All actions</Button> : undefined}>Changes of keys, budgets, prompts and replicas appear here.</Empty>;
          }
          return (
            <>
              <EntryTable rows={rows} action={action} onAction={setAction} />
              {(known ? known.more : page.has_more) && <div className="row centre"><Button onClick={() => void more(rows)}>Older entries</Button></div>}
            </>
          );
        }}
      </Loaded>
    </section>
  );
}

function Verified({ report }: { report: Report | ApiError }): ReactNode {
  if (report instanceof ApiError) return <Note tone="bad">{report.message}</Note>;
  if (report.intact) return <Note tone="good">The log is whole: {plural(report.entries, "entry", "entries")}. Head <code>{report.head.slice(0, 24)}…</code></Note>;
  return (
    <Note tone="bad">
      The log was changed: {report.problems.map((each) => `entry ${count(each.number)} (${each.problem})`).join("; ")}
    </Note>
  );
}

async function download(): Promise<void> {
  try {
    const blob = await (await send("/v1/audit/export")).blob();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = "audit.jsonl";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  } catch (error) {
    toast((error as ApiError).message);
  }
}

function EntryTable({ rows, action, onAction }: { rows: Entry[]; action: string; onAction: (action: string) => void }): ReactNode {
  const names = useKeyNames();
  return (
    <>
      {action && <p className="row">Only <Badge tone="accent">{action}</Badge> <Button kind="quiet" onClick={() => onAction("")}>All actions</Button></p>}
      <div className="scroll" tabIndex={0} role="group" aria-label="Entries">
        <table className="table">
          <thead><tr><th className="number">No.</th><th>Time</th><th>Action</th><th>By</th><th>Object</th><th>Details</th><th>Trace</th></tr></thead>
          <tbody>
            {rows.map((entry) => (
              <tr key={entry.id}>
                <td className="number">{count(entry.number)}</td>
                <td className="nowrap">{moment(entry.created_at)}</td>
                <td className="nowrap"><button type="button" className="plain-link" title={`Only ${entry.action}`} onClick={() => onAction(entry.action)}>{entry.action}</button></td>
                <td className="nowrap" title={entry.actor}>{names.get(entry.actor) ?? entry.actor}</td>
                <td className="nowrap" title={entry.target}>{names.get(entry.target) ?? <code>{entry.target || "–"}</code>}</td>
                <td className="mono details" title={JSON.stringify(entry.details)}>{told(entry.details)}</td>
                <td>{entry.trace_id ? <Link to={path("traces", entry.trace_id)}>Open</Link> : "–"}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function told(details: Record<string, unknown>): string {
  return Object.entries(details).map(([name, value]) => `${name}: ${typeof value === "object" ? JSON.stringify(value) : String(value)}`).join(", ") || "–";
}
