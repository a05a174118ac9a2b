// Advice between prompt, examples, documents and weights: the list, and one with its rows and why.
import { useEffect, type ReactNode } from "react";
import type { Advice } from "../../api/advise";
import { get } from "../../api/client";
import type { List } from "../../api/types";
import { moment } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Link, path, usePlace } from "../../lib/route";
import { IconButton } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";
import { AdviceView, Verdict } from "./advice";

const EVERY_MS = 5000;

export default function AdvicePage(): ReactNode {
  const { rest } = usePlace();
  return rest[0] ? <AdviceView key={rest[0]} id={rest[0]} /> : <AdviceList />;
}

function AdviceList(): ReactNode {
  const url = "/v1/advice?limit=50";
  const found = useResource(url, (signal) => get<List<Advice>>(url, signal));
  useEffect(() => {
    const timer = setInterval(() => document.hidden || found.reload(), EVERY_MS);
    return () => clearInterval(timer);
  }, [found.reload]);
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <h1>Advice</h1>
          <p className="muted">Prompt, examples, documents or weights: each is tried on your questions and compared by quality, cost and how often facts change.</p>
        </div>
        <IconButton icon="refresh" label="Refresh" onClick={found.reload} disabled={found.loading} />
      </header>
      <Loaded of={found} what="Reading the advice">
        {({ data }) => data.length === 0 ? (
          <Empty icon="branch" title="There is no advice yet">Ask with <code>mainspring advise DATASET --model NAME --collection NAME</code>.</Empty>
        ) : (
          <div className="scroll" tabIndex={0} role="group" aria-label="Advice">
            <table className="table">
              <thead><tr><th>Advice</th><th>Verdict</th><th>Model</th><th>Collection</th><th>Asked</th></tr></thead>
              <tbody>
                {data.map((each) => (
                  <tr key={each.id}>
                    <td className="breaking"><Link to={path("advise", each.id)}>{each.name}</Link></td>
                    <td><Verdict of={each} /></td>
                    <td className="breaking small">{each.model}</td>
                    <td className="breaking small">{each.collection ?? "–"}</td>
                    <td className="nowrap">{moment(each.created_at)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Loaded>
    </div>
  );
}
