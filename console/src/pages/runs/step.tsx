// One step of a run: what was asked, what came of it, and the decision that it waits for.
import { useState, type ReactNode } from "react";
import { may } from "../../api/client";
import { OVER, type Run, type RunStep } from "../../api/runs";
import { duration, money, moment } from "../../lib/format";
import { readable } from "../../lib/readable";
import { failed, line, spent } from "../../lib/run_steps";
import { useMe } from "../../session";
import { Badge, Button } from "../../ui/controls";
import { DecideCall } from "../../ui/decide_call";
import { Note } from "../../ui/states";
import { forkAfter } from "./actions";
import { DecideEffect } from "./effect";

const STATES: Record<string, string> = { begun: "under way", asked: "waits for approval", unknown: "outcome unknown" };
const STILL = ["waiting", "paused", "interrupted", "failed"];

export function StepCard({ run, step, onChange }: { run: Run; step: RunStep; onChange: () => void }): ReactNode {
  const cost = spent([step]).usd;
  const said = line(step);
  // A process that died in the call has left it begun.
  const open = step.status === "unknown" || (step.status === "begun" && step.effect === "unkeyed" && STILL.includes(run.status));
  const level = step.id.split(".").length - 1;
  return (
    <li className={`run-step ${step.status} ${failed(step) ? "failed" : ""}`} style={{ marginInlineStart: Math.min(level, 4) * 14 }} aria-label={`Step ${step.id}: ${step.kind} ${step.name}`}>
      <div className="between">
        <div className="row">
          <Badge tone={step.kind === "model" ? "accent" : "plain"}>{step.kind}</Badge>
          <h3 className="mono breaking">{step.name}</h3>
          {step.status !== "done" && <Badge tone="warn">{STATES[step.status]}</Badge>}
          {failed(step) && <Badge tone="bad">failed</Badge>}
          {step.effect !== "none" && <span className="muted small">effect: {step.effect}</span>}
          {step.attempts > 1 && <span className="muted small">attempt {step.attempts}</span>}
        </div>
        <span className="muted small">
          step {step.id} · {step.ended_at === null ? `since ${moment(step.began_at)}` : moment(step.ended_at)}
          {/* Of those without effects, the beginning is not recorded. */}
          {step.ended_at !== null && step.effect !== "none" && ` · ${duration(Math.max(0, step.ended_at - step.began_at))}`}
          {cost > 0 && ` · ${money(cost)}`}
        </span>
      </div>
      {said && <p className="run-line">{said}</p>}
      {step.kind !== "input" && <Folded label="Input" step={step} value={step.input} absent="It was too long to be kept." />}
      {step.status === "done" && <Folded label="Result" step={step} value={step.outcome} absent="Nothing." />}
      {step.decided_by && <p className="muted small">Decided by {step.decided_by}</p>}
      {step.status === "asked" && step.approval_id && <Approval step={step} onChange={onChange} />}
      {open && <Unknown run={run} step={step} onChange={onChange} />}
      {step.number !== null && <div><Button kind="quiet" icon="branch" onClick={() => void forkAfter(run, step.number!)}>{`Fork after step ${step.id}`}</Button></div>}
    </li>
  );
}

function Folded({ label, step, value, absent }: { label: string; step: RunStep; value: unknown; absent: string }): ReactNode {
  return (
    <details>
      <summary>{label}<span className="hidden"> of step {step.id}</span></summary>
      {value === null || value === undefined ? <p className="muted small">{absent}</p> : <pre className="wrapped" tabIndex={0} aria-label={`${label} of step ${step.id}`}>{readable(value)}</pre>}
    </details>
  );
}

function Arguments({ step }: { step: RunStep }): ReactNode {
  const asked = (step.input as { arguments?: unknown } | null)?.arguments;
  return asked !== undefined && <pre className="wrapped" tabIndex={0} aria-label="Arguments">{readable(asked)}</pre>;
}

function Approval({ step, onChange }: { step: RunStep; onChange: () => void }): ReactNode {
  const me = useMe();
  const [verb, setVerb] = useState<"approve" | "deny">();
  return (
    <>
      <Arguments step={step} />
      {may(me, "approve") ? (
        <div className="row">
          <Button kind="primary" onClick={() => setVerb("approve")}>Approve</Button>
          <Button onClick={() => setVerb("deny")}>Deny</Button>
        </div>
      ) : (
        <p className="muted small">A key with the scope <code>approve</code> decides.</p>
      )}
      {verb && <DecideCall id={step.approval_id!} name={step.name} verb={verb} onClose={() => setVerb(undefined)} onDone={() => { setVerb(undefined); onChange(); }} />}
    </>
  );
}

function Unknown({ run, step, onChange }: { run: Run; step: RunStep; onChange: () => void }): ReactNode {
  const [deciding, setDeciding] = useState(false);
  return (
    <>
      <Arguments step={step} />
      <Note tone="warn">The call was made, but it is unknown whether it took effect. Check the target system, then enter the outcome here.</Note>
      {!OVER.includes(run.status) && <div><Button kind="primary" onClick={() => setDeciding(true)}>Decide</Button></div>}
      {deciding && <DecideEffect run={run} step={step} onClose={() => setDeciding(false)} onDone={() => { setDeciding(false); onChange(); }} />}
    </>
  );
}
