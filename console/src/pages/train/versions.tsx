// What was trained.
import { useState, type ReactNode } from "react";
import { get } from "../../api/client";
import { digits, type Version } from "../../api/train";
import type { List } from "../../api/types";
import { moment } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { Badge, Button } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";

export function VersionList(): ReactNode {
  const [after, setAfter] = useState("");
  const url = `/v1/training/versions?${new URLSearchParams({ limit: "50", ...(after && { after }) })}`;
  const found = useResource(url, (signal) => get<List<Version>>(url, signal));
  return (
    <section className="stack" aria-label="Models">
      <Loaded of={found} what="Reading what was trained">
        {({ data, has_more }) => data.length === 0 ? (
          <Empty icon="columns" title="There are no versions yet">Results of training jobs appear here, with their cards.</Empty>
        ) : (
          <>
            <div className="scroll" tabIndex={0} role="group" aria-label="What was trained">
              <table className="table">
                <thead><tr><th>Version</th><th>Is</th><th>Recipe</th><th>Base</th><th>Measured</th><th>State</th></tr></thead>
                <tbody>
                  {data.map((each) => (
                    <tr key={each.id}>
                      <td><Link to={path("train", "models", each.id)}>{each.id}</Link><div className="muted small nowrap">{moment(each.created_at)}</div></td>
                      <td>{each.makes}</td>
                      <td>{each.recipe}</td>
                      <td className="breaking">{each.base ?? "–"}</td>
                      <td className="small">{each.figures.slice(0, 2).map((one) => `${one.name} ${one.before === null || one.before === undefined ? "" : `${digits(one.before)} → `}${digits(one.after)}`).join(", ") || "–"}</td>
                      <td><State of={each} /></td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
            <div className="row">
              {after && <Button onClick={() => setAfter("")}>Newest</Button>}
              {has_more && <Button onClick={() => setAfter(data.at(-1)!.id)}>Older</Button>}
            </div>
          </>
        )}
      </Loaded>
    </section>
  );
}

export function State({ of }: { of: Version }): ReactNode {
  return (
    <>
      {of.withdrawn ? <Badge>withdrawn</Badge> : of.served ? <Badge tone="good">served</Badge> : of.problem ? <Badge tone="bad">not served</Badge> : <Badge>kept</Badge>}
      {of.stale && <> <Badge tone="bad">stale</Badge></>}
    </>
  );
}
