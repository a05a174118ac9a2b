// One trace: its steps, what was asked and answered, the facts that were recorded, and asking it again.
import { useState, type ReactNode } from "react";
import { ApiError, get, may } from "../../api/client";
import type { Verdict } from "../../api/monitor";
import type { EventRecord, List, Span } from "../../api/types";
import { useResource } from "../../lib/resource";
import { go, Link, path } from "../../lib/route";
import { useMe } from "../../session";
import { Badge, Button, Choice, IconButton } from "../../ui/controls";
import { Icon } from "../../ui/icon";
import { Loaded } from "../../ui/states";
import { copy } from "../../ui/toast";
import { Facts } from "./facts";
import { PromptView } from "./prompt";
import { ReplayDialog } from "./replay";
import { Steps } from "./steps";
import { AtOnce, Verdicts } from "./verdicts";

interface Trace {
  spans: Span[];
  verdicts: Verdict[];
}

// Spans are written a moment after the answer has ended.
async function patiently(id: string, signal: AbortSignal): Promise<Trace> {
  for (let tries = 0; ; tries++) {
    try {
      return await get<Trace>(`/v1/traces/${encodeURIComponent(id)}`, signal);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404 || tries === 3) throw error;
      await new Promise((resolve) => setTimeout(resolve, 400));
    }
  }
}

export type Shown = "steps" | "prompt" | "facts";

export function TraceView({ id, shown }: { id: string; shown: Shown }): ReactNode {
  const me = useMe();
  const trace = useResource(`trace ${id}`, (signal) => patiently(id, signal));
  const events = useResource(`events ${id}`, (signal) => get<List<EventRecord>>(`/v1/events?limit=100&order=asc&trace_id=${encodeURIComponent(id)}`, signal));
  const [replaying, setReplaying] = useState(false);
  const answer = events.data?.data.find((event) => event.kind === "answer");
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <Link to={path("traces")} className="back"><Icon name="left" size={15} />Traces</Link>
          <h1>Trace</h1>
          {answer?.facts.answered === false && <p><Badge tone="warn">not in the documents</Badge></p>}
          {answer?.facts.answered === true && <p><Badge tone="good">answered from the documents</Badge></p>}
          <p className="muted mono row">
            {id}
            <IconButton icon="copy" size={14} label="Copy the trace id" onClick={() => void copy(id, "Trace id")} />
          </p>
        </div>
        <div className="row">
          {may(me, "lake") && <Link to={`${path("lake", "lineage")}?of=${encodeURIComponent(id)}`} className="button plain" title="The rows, exports and data sets that this trace became"><Icon name="lake" size={16} /><span>In the lake</span></Link>}
          {answer && may(me, "improve") && <Link to={`${path("improve", "lineage")}?of=${encodeURIComponent(answer.id)}`} className="button plain" title="What gave this answer, and what was made from it"><Icon name="again" size={16} /><span>Lineage</span></Link>}
          {answer && may(me, "replay") && <Button icon="again" onClick={() => setReplaying(true)}>Replay</Button>}
          <Choice
            label="What is shown"
            value={shown}
            options={[{ value: "steps", label: "Steps" }, { value: "prompt", label: "Prompt" }, { value: "facts", label: `Facts${events.data ? ` (${events.data.data.length})` : ""}` }]}
            onChange={(value) => go(value === "steps" ? path("traces", id) : path("traces", id, value))}
          />
        </div>
      </header>
      {shown === "steps" ? (
        <Loaded of={trace} what="Reading the trace">{(found) => <Steps spans={found.spans}>{answer && may(me, "curate") && <AtOnce key={answer.id} answer={answer.id} />}<Verdicts found={found.verdicts} /></Steps>}</Loaded>
      ) : shown === "prompt" ? (
        <Loaded of={events} what="Reading what was asked">{(found) => <PromptView trace={id} events={found.data} />}</Loaded>
      ) : (
        <Loaded of={events} what="Reading the facts">{(found) => <Facts events={found.data} />}</Loaded>
      )}
      {replaying && <ReplayDialog trace={id} requested={String(answer?.facts.requested ?? "")} onClose={() => setReplaying(false)} />}
    </div>
  );
}
