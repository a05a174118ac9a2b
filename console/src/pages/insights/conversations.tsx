// The latest conversations, of a topic or an outcome.
import { useState, type ReactNode } from "react";
import { get } from "../../api/client";
import type { Conversation, Topics } from "../../api/insights";
import type { List } from "../../api/types";
import { moment } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { go, Link, path, usePlace } from "../../lib/route";
import { Button, IconButton } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";
import { Mood, NO_TOPIC, OutcomeBadge, OUTCOMES } from "./said";

export function ConversationsView(): ReactNode {
  const { query } = usePlace();
  const [topic, outcome] = [query.get("topic") ?? "", query.get("outcome") ?? ""];
  const [limit, setLimit] = useState(30);
  const asked = new URLSearchParams({ limit: String(limit), days: "90", ...(topic && { topic }), ...(outcome && { outcome }) });
  const url = `/v1/insights/conversations?${asked}`;
  const found = useResource(url, (signal) => get<List<Conversation>>(url, signal));
  const topics = useResource("topics 90", (signal) => get<Topics>("/v1/insights/topics?days=90", signal));
  const named = new Map((topics.data?.data ?? []).map((each) => [each.id, each.name]));
  const filter = (by: { topic?: string; outcome?: string }): void => {
    const chosen = new URLSearchParams(Object.entries({ topic, outcome, ...by }).filter(([, value]) => value));
    go(`${path("insights", "conversations")}${chosen.size > 0 ? `?${chosen}` : ""}`, true);
  };
  return (
    <section className="stack" aria-label="Conversations">
      <div className="filters">
        <label>
          Topic
          <select value={topic} onChange={(event) => filter({ topic: event.target.value })}>
            <option value="">all</option>
            {(topics.data?.data ?? []).map((each) => <option key={each.id} value={each.id}>{each.name}</option>)}
            {(topic === "other" || (topics.data?.other.conversations ?? 0) > 0) && <option value="other">{NO_TOPIC}</option>}
          </select>
        </label>
        <label>
          Outcome
          <select value={outcome} onChange={(event) => filter({ outcome: event.target.value })}>
            <option value="">all</option>
            {OUTCOMES.map((each) => <option key={each.name} value={each.name}>{each.title}</option>)}
          </select>
        </label>
        <IconButton icon="refresh" label="Refresh" onClick={found.reload} disabled={found.loading} />
      </div>
      <Loaded of={found} what="Reading conversations">
        {({ data, has_more: more }) =>
          data.length === 0 ? (
            <Empty icon="insights" title="There are no such conversations">Those of the last 90 days are listed here.</Empty>
          ) : (
            <>
              <div className="scroll" tabIndex={0} role="group" aria-label="Conversations">
                <table className="table">
                  <thead><tr><th>Asked first</th><th>Outcome</th><th>Mood</th><th>Topic</th><th className="number">Turns</th><th>Begun</th></tr></thead>
                  <tbody>
                    {data.map((each) => (
                      <tr key={each.id}>
                        <td className="asked"><Link to={path("insights", "conversations", each.id)} className="question">{each.opening ?? "not to be seen"}</Link></td>
                        <td className="nowrap"><OutcomeBadge outcome={each.outcome} /></td>
                        <td><Mood value={each.sentiment} /></td>
                        <td className="nowrap">{each.topic ? named.get(each.topic) ?? "–" : <span className="muted">{NO_TOPIC}</span>}</td>
                        <td className="number">{each.turns}</td>
                        <td className="nowrap">{moment(each.started_at)}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
              {more && limit < 100 && <div><Button onClick={() => setLimit(100)}>Show more</Button></div>}
            </>
          )
        }
      </Loaded>
    </section>
  );
}
