// All data sets, by name.
import { useState, type ReactNode } from "react";
import { get } from "../../api/client";
import type { DataSet } from "../../api/datasets";
import type { List } from "../../api/types";
import { count, moment } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { Badge, Button, IconButton } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";

export function SetList(): ReactNode {
  const [after, setAfter] = useState("");
  const url = `/v1/datasets?${new URLSearchParams({ limit: "50", ...(after && { after }) })}`;
  const sets = useResource(url, (signal) => get<List<DataSet>>(url, signal));
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <h1>Datasets</h1>
          <p className="muted">Versions of examples from files, from traces and by hand. A version never changes.</p>
        </div>
        <IconButton icon="refresh" label="Refresh" onClick={sets.reload} disabled={sets.loading} />
      </header>
      <Loaded of={sets} what="Reading the data sets">
        {(found) =>
          found.data.length === 0 ? (
            <Empty icon="columns" title="There are no data sets">Make one with <code>mainspring datasets add NAME FILE.jsonl</code>, or from traces with <code>mainspring datasets from-traces NAME --thumb down</code>.</Empty>
          ) : (
            <>
              <div className="scroll" tabIndex={0} role="group" aria-label="Data sets">
                <table className="table">
                  <thead><tr><th>Name</th><th className="number">Version</th><th className="number">Examples</th><th>Tags</th><th>Changed</th></tr></thead>
                  <tbody>
                    {found.data.map((each) => (
                      <tr key={each.name}>
                        <td><Link to={path("datasets", each.name)}>{each.name}</Link></td>
                        <td className="number">{each.version}</td>
                        <td className="number">{count(each.examples)}</td>
                        <td><span className="row">{Object.entries(each.tags).map(([tag, version]) => <Badge key={tag}>{`${tag}: ${version}`}</Badge>)}</span></td>
                        <td className="nowrap">{moment(each.updated_at)}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
              <div className="row">
                {after && <Button onClick={() => setAfter("")}>First</Button>}
                {found.has_more && <Button onClick={() => setAfter(found.data.at(-1)!.name)}>More</Button>}
              </div>
            </>
          )
        }
      </Loaded>
    </div>
  );
}
