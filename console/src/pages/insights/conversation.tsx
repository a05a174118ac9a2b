// One conversation: how it went, turn by turn, each with its trace.
import type { ReactNode } from "react";
import { get } from "../../api/client";
import type { Conversation, Turn } from "../../api/insights";
import { moment, plural } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { Badge } from "../../ui/controls";
import { Loaded } from "../../ui/states";
import { Mood, OutcomeBadge, signed } from "./said";

export function ConversationView({ id }: { id: string }): ReactNode {
  const url = `/v1/insights/conversations/${encodeURIComponent(id)}`;
  const found = useResource(url, (signal) => get<Conversation>(url, signal));
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <h1>Conversation</h1>
          <p className="muted"><Link to={path("insights", "conversations")}>All conversations</Link></p>
        </div>
      </header>
      <Loaded of={found} what="Reading the conversation">
        {(talk) => (
          <>
            <dl className="pairs card">
              <div><dt>Outcome</dt><dd><OutcomeBadge outcome={talk.outcome} /> {talk.why}</dd></div>
              <div><dt>Mood</dt><dd><Mood value={talk.sentiment} /> {talk.sentiment_course !== null && `${signed(talk.sentiment_course)} from first to last turn`}</dd></div>
              <div><dt>With</dt><dd>{talk.application}</dd></div>
              <div><dt>Begun</dt><dd>{moment(talk.started_at)}, {plural(talk.turns, "turn")}</dd></div>
            </dl>
            <ol className="stack" aria-label="Turns">{(talk.said ?? []).map((turn) => <Said key={turn.answer_id} turn={turn} />)}</ol>
          </>
        )}
      </Loaded>
    </div>
  );
}

function Said({ turn }: { turn: Turn }): ReactNode {
  return (
    <li className="card between top">
      <div>
        <p className="breaking">{turn.text ?? <span className="muted">Its text is not visible to you, or was deleted.</span>}</p>
        <p className="row wraps muted small">
          <span>{moment(turn.at)}</span>
          {turn.refused && <Badge tone="warn">no answer</Badge>}
          {turn.rating && <Badge tone={turn.rating === "up" ? "good" : "bad"}>{`thumb ${turn.rating}`}</Badge>}
          {turn.tools_ok + turn.tools_failed > 0 && <span>{plural(turn.tools_ok + turn.tools_failed, "tool call")}{turn.tools_failed > 0 && `, ${turn.tools_failed} failed`}</span>}
          <Link to={path("traces", turn.trace_id)}>trace</Link>
        </p>
      </div>
      <Mood value={turn.sentiment} />
    </li>
  );
}
