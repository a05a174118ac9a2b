// Calls of tools that wait for somebody: what would be done, by which application, and the decision.
import { useEffect, useState, type ReactNode } from "react";
import { get, may } from "../../api/client";
import type { List } from "../../api/types";
import { moment } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { useMe } from "../../session";
import { Badge, Button, Choice, IconButton } from "../../ui/controls";
import { DecideCall } from "../../ui/decide_call";
import { Empty, Loaded } from "../../ui/states";

interface Approval {
  id: string;
  status: string;
  model: string;
  tool_call: { id: string; function: { name: string; arguments: string } };
  created_at: number;
  expires_at: number;
  asked_by: string;
  decided_at: number | null;
  decided_by: string | null;
  note: string;
  trace_id: string | null;
}

type Which = "pending" | "all";

const EVERY_MS = 5000;
const TONES: Record<string, "good" | "bad" | "warn" | "accent"> = { pending: "warn", approved: "good", taken: "good", denied: "bad" };

export default function ApprovalsPage(): ReactNode {
  const [which, setWhich] = useState<Which>("pending");
  const url = `/v1/approvals?limit=50&order=desc${which === "all" ? "" : `&status=${which}`}`;
  const approvals = useResource(url, (signal) => get<List<Approval>>(url, signal));
  const [deciding, setDeciding] = useState<{ approval: Approval; verb: "approve" | "deny" }>();
  useEffect(() => {
    // Somebody waits for an answer: new ones appear by themselves.
    const timer = setInterval(() => document.hidden || approvals.reload(), EVERY_MS);
    return () => clearInterval(timer);
  }, [approvals.reload]);
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <h1>Approvals</h1>
          <p className="muted">Tool calls that need a person's approval.</p>
        </div>
        <div className="row">
          <Choice label="Which" value={which} onChange={setWhich} options={[{ value: "pending", label: "Waiting" }, { value: "all", label: "All" }]} />
          <IconButton icon="refresh" label="Refresh" onClick={approvals.reload} disabled={approvals.loading} />
        </div>
      </header>
      <Loaded of={approvals} what="Looking for calls that wait">
        {(found) =>
          found.data.length === 0 ? (
            <Empty icon="check" title="Nothing waits for you">When an application asks for a tool that needs approval, the call appears here.</Empty>
          ) : (
            <ul className="stack">
              {found.data.map((each) => <ApprovalCard key={each.id} approval={each} onDecide={(verb) => setDeciding({ approval: each, verb })} />)}
            </ul>
          )
        }
      </Loaded>
      {deciding && <DecideCall id={deciding.approval.id} name={deciding.approval.tool_call.function.name} verb={deciding.verb} onClose={() => setDeciding(undefined)} onDone={() => { setDeciding(undefined); approvals.reload(); }} />}
    </div>
  );
}

function ApprovalCard({ approval, onDecide }: { approval: Approval; onDecide: (verb: "approve" | "deny") => void }): ReactNode {
  const me = useMe();
  const call = approval.tool_call.function;
  return (
    <li className="card stack">
      <div className="between">
        <div className="row">
          <Badge tone={TONES[approval.status] ?? "plain"}>{approval.status === "pending" ? "waiting" : approval.status}</Badge>
          <h2 className="mono">{call.name}</h2>
          <span className="muted small">{approval.model}</span>
        </div>
        <span className="muted small">asked {moment(approval.created_at)}, expires {moment(approval.expires_at)}</span>
      </div>
      {call.arguments && <pre className="wrapped" tabIndex={0} aria-label="Arguments">{pretty(call.arguments)}</pre>}
      {approval.note && <p>“{approval.note}”</p>}
      <div className="row">
        {approval.status === "pending" && (
          <>
            <Button kind="primary" onClick={() => onDecide("approve")}>Approve</Button>
            <Button onClick={() => onDecide("deny")}>Deny</Button>
          </>
        )}
        {approval.trace_id && may(me, "admin") && <Link to={path("traces", approval.trace_id)}>Trace</Link>}
      </div>
    </li>
  );
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
