// Where the documents of a collection come from, and when each source was followed last.
import type { ReactNode } from "react";
import { get } from "../../api/client";
import type { List, Store } from "../../api/types";
import { moment } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Badge } from "../../ui/controls";
import { Loaded } from "../../ui/states";

interface Source {
  id: string;
  kind: string;
  location: string;
  error: string | null;
  synced_at: number | null;
}

export function SourceList({ store }: { store: Store }): ReactNode {
  const url = `/v1/vector_stores/${encodeURIComponent(store.id)}/sources`;
  const sources = useResource(url, (signal) => get<List<Source>>(url, signal));
  return (
    <Loaded of={sources} what="Looking for sources">
      {(found) =>
        found.data.length === 0 ? null : (
          <section className="stack" aria-label="Sources">
            <div className="section-head">
              <h2>Sources</h2>
              <span className="muted small">Read again by <code>mainspring sync {store.name}</code></span>
            </div>
            <div className="scroll" tabIndex={0} role="group" aria-label="Sources">
              <table className="table">
                <thead><tr><th>Source</th><th>Kind</th><th>Last followed</th><th>State</th></tr></thead>
                <tbody>
                  {found.data.map((source) => (
                    <tr key={source.id}>
                      <td><code>{source.location}</code>{source.error && <span className="bad small block">{source.error}</span>}</td>
                      <td>{source.kind}</td>
                      <td className="nowrap">{source.synced_at ? moment(source.synced_at) : "never"}</td>
                      <td>{source.error ? <Badge tone="bad">failed</Badge> : source.synced_at ? <Badge tone="good">followed</Badge> : <Badge>not yet</Badge>}</td>
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
