// Questions that were answered badly or not at all, with examples and the nearest passage.
import { useState, type ReactNode } from "react";
import { get } from "../../api/client";
import type { Gap } from "../../api/insights";
import type { List } from "../../api/types";
import { moment, plural } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { Badge, Choice, IconButton } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";
import { PERIODS, type Days } from "./said";

export function GapsView(): ReactNode {
  const [days, setDays] = useState<Days>("30");
  const url = `/v1/insights/gaps?days=${days}&limit=50&nearest=true`;
  const found = useResource(url, (signal) => get<List<Gap>>(url, signal));
  return (
    <section className="stack" aria-label="Gaps">
      <div className="section-head">
        <Choice label="Period" value={days} onChange={setDays} options={[...PERIODS]} />
        <IconButton icon="refresh" label="Refresh" onClick={found.reload} disabled={found.loading} />
      </div>
      <Loaded of={found} what="Grouping questions">
        {({ data }) =>
          data.length === 0 ? (
            <Empty icon="check" title="No gaps in this time">Questions that were refused, rated down, answered with little support or passed to people are grouped here.</Empty>
          ) : (
            <ul className="stack" aria-label="Gaps">{data.map((gap) => <GapCard key={`${gap.question} ${gap.last_at}`} gap={gap} />)}</ul>
          )
        }
      </Loaded>
    </section>
  );
}

function GapCard({ gap }: { gap: Gap }): ReactNode {
  return (
    <li className="card stack">
      <div className="between top">
        <h2 className="breaking">{gap.question}</h2>
        <Badge tone="accent">{plural(gap.conversations, "conversation")}</Badge>
      </div>
      <p className="row wraps muted small">
        {Object.entries(gap.reasons).map(([name, count]) => <Badge key={name} tone="warn">{`${name} ${count}`}</Badge>)}
        <span>{gap.recent} of {gap.turns} in the second half of the period, last {moment(gap.last_at)}</span>
      </p>
      {gap.nearest ? (
        <p className="breaking"><span className="muted">Nearest ({gap.nearest.score.toFixed(2)}), {gap.nearest.source} in {gap.nearest.collection}:</span> {gap.nearest.text}</p>
      ) : (
        <p className="muted">None of your documents is close to it.</p>
      )}
      <details>
        <summary>{plural(gap.examples.length, "example")}</summary>
        <ul className="stack">
          {gap.examples.map((each) => (
            <li key={`${each.trace_id} ${each.at}`} className="breaking">
              {each.text} <span className="muted small">{each.reasons.join(", ")}, {moment(each.at)}, <Link to={path("insights", "conversations", each.conversation_id)}>conversation</Link>, <Link to={path("traces", each.trace_id)}>trace</Link></span>
            </li>
          ))}
        </ul>
      </details>
    </li>
  );
}
