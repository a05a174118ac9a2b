// Where the documents of a collection come from, and when each source was followed last.
import { useEffect, useRef, type ReactNode } from "react";
import { ApiError, get, post } from "../../api/client";
import type { List, Store } from "../../api/types";
import { count, moment } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Badge, Button } from "../../ui/controls";
import { Loaded } from "../../ui/states";
import { toast } from "../../ui/toast";

interface Source {
  id: string;
  kind: string;
  location: string;
  error: string | null;
  synced_at: number | null;
  sync?: Sync | null;
}

// A sync that was begun over HTTP since the server started.
interface Sync {
  state: "waiting" | "running" | "done" | "failed";
  ended_at: number | null;
  done: number;
  total: number;
  error: string | null;
  report: (Record<(typeof DONE)[number], number> & { failures: { name: string; error: string }[] }) | null;
}

const DONE = ["added", "updated", "moved", "removed", "unchanged", "failed"] as const;
const LOOK_MS = 1000;

function underWay(source: Source): boolean {
  return source.sync?.state === "waiting" || source.sync?.state === "running";
}

export function SourceList({ store, onChange }: { store: Store; onChange: () => void }): ReactNode {
  const url = `/v1/vector_stores/${encodeURIComponent(store.id)}/sources`;
  const sources = useResource(url, (signal) => get<List<Source>>(url, signal));
  const busy = (sources.data?.data ?? []).some(underWay);
  const was = useRef(false);
  useEffect(() => {
    if (was.current && !busy) onChange();
    was.current = busy;
    if (!busy) return undefined;
    const timer = setTimeout(sources.reload, LOOK_MS);
    return () => clearTimeout(timer);
  }, [busy, sources, onChange]);
  const begin = async (source: Source): Promise<void> => {
    try {
      await post(`${url}/${encodeURIComponent(source.id)}/sync`, {});
      sources.reload();
    } catch (error) {
      toast(error instanceof ApiError ? error.message : "The sync did not start.");
    }
  };
  return (
    <Loaded of={sources} what="Looking for sources">
      {(found) =>
        found.data.length === 0 ? null : (
          <section className="stack" aria-label="Sources">
            <div className="section-head">
              <h2>Sources</h2>
              <span className="muted small">Follow one again here, or all with <code>mainspring sync {store.name}</code></span>
            </div>
            <div className="scroll" tabIndex={0} role="group" aria-label="Sources">
              <table className="table">
                <thead><tr><th>Source</th><th>Kind</th><th>Last followed</th><th>State</th><th><span className="hidden">Follow</span></th></tr></thead>
                <tbody>
                  {found.data.map((source) => (
                    <tr key={source.id}>
                      <td><code>{source.location}</code>{source.error && <span className="bad small block">{source.error}</span>}</td>
                      <td>{source.kind}</td>
                      <td className="nowrap">{source.synced_at ? moment(source.synced_at) : "never"}</td>
                      <td><State source={source} /></td>
                      <td className="end"><Button disabled={underWay(source)} aria-label={`Sync ${source.location}`} onClick={() => void begin(source)}>Sync</Button></td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          </section>
        )
      }
    </Loaded>
  );
}

function State({ source }: { source: Source }): ReactNode {
  const { sync } = source;
  if (sync?.state === "waiting") return <Badge tone="accent">waiting</Badge>;
  if (sync?.state === "running") {
    return <span role="status"><Badge tone="accent">{sync.total > 0 ? `reading ${count(sync.done)} of ${count(sync.total)}` : "looking for changes"}</Badge></span>;
  }
  const state = source.error || sync?.state === "failed" ? <Badge tone="bad">failed</Badge> : source.synced_at ? <Badge tone="good">followed</Badge> : <Badge>not yet</Badge>;
  const report = sync?.report;
  return (
    <>
      {state}
      {sync?.error && sync.error !== source.error && <span className="bad small block">{sync.error}</span>}
      {report && <span className="muted small block">{DONE.filter((name) => report[name] > 0).map((name) => `${count(report[name])} ${name}`).join(", ") || "nothing there"}</span>}
      {report?.failures.map((each) => <span key={each.name} className="bad small block">{each.name}: {each.error}</span>)}
    </>
  );
}
