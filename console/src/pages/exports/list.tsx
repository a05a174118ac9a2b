// The latest exports, those of a trace or an answer, and a form for a new one.
import { useEffect, useState, type FormEvent, type ReactNode } from "react";
import { ApiError, get, post } from "../../api/client";
import { FORMATS, KINDS, type LakeExport } from "../../api/exports";
import type { List } from "../../api/types";
import { count, moment } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { go, Link, path, usePlace } from "../../lib/route";
import { Button, Field, IconButton } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";
import { Status } from "./status";

const EVERY_MS = 3000;

export function ExportList(): ReactNode {
  const { query } = usePlace();
  const of = query.get("of") ?? "";
  const asked = new URLSearchParams({ limit: "50", ...(of && { [of.includes("_") ? "answer_id" : "trace_id"]: of }) });
  const url = `/v1/lake/exports?${asked}`;
  const exports = useResource(url, (signal) => get<List<LakeExport>>(url, signal));
  const busy = exports.data?.data.some((each) => each.status === "queued" || each.status === "running") ?? false;
  useEffect(() => {
    if (!busy) return;
    const timer = setInterval(() => document.hidden || exports.reload(), EVERY_MS);
    return () => clearInterval(timer);
  }, [busy, exports.reload]);
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <h1>Exports</h1>
          <p className="muted">Training data from consented and cleaned traffic. Each row names the events that it comes from.</p>
        </div>
        <IconButton icon="refresh" label="Refresh" onClick={exports.reload} disabled={exports.loading} />
      </header>
      <NewExport made={exports.reload} />
      <Lookup key={of} of={of} />
      <Loaded of={exports} what="Reading the exports">
        {(found) =>
          found.data.length === 0 ? (
            <Empty icon="out" title={of ? "No export contains it" : "There are no exports"}>
              {of ? "It was not exported, or was erased since." : <>Bring events into the lake first: <code>mainspring lake sync</code></>}
            </Empty>
          ) : (
            <div className="scroll" tabIndex={0} role="group" aria-label="Exports">
              <table className="table">
                <thead><tr><th>Name</th><th>State</th><th>Kind</th><th>Format</th><th className="number">Rows</th><th>Made</th></tr></thead>
                <tbody>
                  {found.data.map((each) => (
                    <tr key={each.id}>
                      <td><Link to={path("exports", each.id)}>{each.name}</Link></td>
                      <td><Status status={each.status} /></td>
                      <td className="nowrap">{each.kind}</td>
                      <td>{each.format}</td>
                      <td className="number">{count(each.rows)}</td>
                      <td className="nowrap">{moment(each.created_at)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Loaded>
    </div>
  );
}

function Lookup({ of }: { of: string }): ReactNode {
  const [typed, setTyped] = useState(of);
  const look = (event: FormEvent): void => {
    event.preventDefault();
    go(`${path("exports")}${typed.trim() ? `?of=${encodeURIComponent(typed.trim())}` : ""}`, true);
  };
  return (
    <form className="filters" onSubmit={look}>
      <Field label="With a trace or an answer">{(field) => <input {...field} value={typed} maxLength={128} onChange={(event) => setTyped(event.target.value)} placeholder="all" />}</Field>
      <Button icon="search" type="submit">Look up</Button>
    </form>
  );
}

function NewExport({ made }: { made: () => void }): ReactNode {
  const [kind, setKind] = useState("sft");
  const [format, setFormat] = useState("trl");
  const [error, setError] = useState("");
  const [sending, setSending] = useState(false);
  const ask = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setSending(true);
    setError("");
    try {
      await post<LakeExport>("/v1/lake/exports", { kind, format });
      made();
    } catch (problem) {
      setError(problem instanceof ApiError ? problem.message : "This did not work.");
    } finally {
      setSending(false);
    }
  };
  return (
    <form className="filters" onSubmit={(event) => void ask(event)}>
      <label>
        Kind
        <select value={kind} onChange={(event) => setKind(event.target.value)}>{KINDS.map((each) => <option key={each}>{each}</option>)}</select>
      </label>
      <label>
        Format
        <select value={format} onChange={(event) => setFormat(event.target.value)}>{FORMATS.map((each) => <option key={each}>{each}</option>)}</select>
      </label>
      <Button icon="plus" type="submit" disabled={sending}>Make an export</Button>
      {error && <p role="alert" className="bad">{error}</p>}
    </form>
  );
}
