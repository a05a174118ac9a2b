// The replicas of each model, which can be drained and taken back, and the arms of each route.
import { useState, type ReactNode } from "react";
import { ApiError, get, may, post } from "../../api/client";
import type { Replica, Replicas, Route } from "../../api/types";
import { count, milliseconds, share, short } from "../../lib/format";
import { useMe } from "../../session";
import { Badge, Button } from "../../ui/controls";
import { Confirm } from "../../ui/dialog";
import { toast } from "../../ui/toast";

interface Props {
  found: Replicas;
  onChange: (found: Replicas) => void;
}

interface Chosen {
  model: string;
  replica: string;
  last: boolean;
}

export function ReplicaTables({ found, onChange }: Props): ReactNode {
  const me = useMe();
  const [draining, setDraining] = useState<Chosen>();
  const [busy, setBusy] = useState("");
  const change = async (verb: "drain" | "undrain", body: { model: string; replica: string; force?: boolean }): Promise<void> => {
    setBusy(body.replica);
    try {
      await post(`/v1/replicas/${verb}`, body);
      onChange(await get<Replicas>("/v1/replicas"));
      toast(verb === "drain" ? `${body.replica} takes no more calls` : `${body.replica} takes calls again`);
    } catch (error) {
      toast((error as ApiError).message);
    }
    setBusy("");
    setDraining(undefined);
  };
  return (
    <>
      {found.models.map(({ model, policy, replicas }) => (
        <ReplicaTable
          key={model}
          model={model}
          policy={policy}
          replicas={replicas}
          busy={busy}
          mine={may(me, "operate")}
          onDrain={(replica) => setDraining({ model, replica, last: replicas.every((each) => each.name === replica || !taken(each)) })}
          onUndrain={(replica) => void change("undrain", { model, replica })}
        />
      ))}
      {found.routes.map((route) => <RouteTable key={route.name} route={route} />)}
      {draining && (
        <Confirm
          title={`Drain ${draining.replica}?`}
          verb="Drain"
          busy={busy !== ""}
          onYes={() => void change("drain", { model: draining.model, replica: draining.replica, force: draining.last })}
          onClose={() => setDraining(undefined)}
        >
          <p>Running calls finish there. New ones go to the other replicas of {draining.model} until you put it back.</p>
          {draining.last && <p className="bad">It is the last one that takes calls: {draining.model} answers nothing without it.</p>}
        </Confirm>
      )}
    </>
  );
}

const TONES: Record<string, "good" | "accent" | "warn" | "bad"> = {
  ready: "good", half_open: "accent", full: "accent", starting: "accent", paused: "warn", draining: "warn", drained: "warn", open: "bad",
};

function taken(replica: Replica): boolean {
  return replica.state !== "drained" && replica.state !== "draining";
}

interface TableProps {
  model: string;
  policy: string;
  replicas: Replica[];
  busy: string;
  // Whether they are this key's to drain.
  mine: boolean;
  onDrain: (replica: string) => void;
  onUndrain: (replica: string) => void;
}

function ReplicaTable({ model, policy, replicas, busy, mine, onDrain, onUndrain }: TableProps): ReactNode {
  return (
    <section className="stack" aria-label={`Replicas of ${model}`}>
      <div>
        <h2>Replicas of {model}</h2>
        <p className="muted small">Balanced by {policy.replaceAll("_", " ")}.</p>
      </div>
      <div className="scroll" tabIndex={0} role="group" aria-label={`Replicas of ${model}`}>
        <table className="table">
          <thead>
            <tr><th>Replica</th><th>State</th><th className="number">Running</th><th className="number">Tokens ahead</th><th className="number">Served</th><th className="number">Failed</th><th className="number">Error rate</th><th className="number">First token</th><th className="tools"><span className="hidden">Actions</span></th></tr>
          </thead>
          <tbody>
            {replicas.map((replica) => (
              <tr key={replica.name}>
                <td>{replica.name}<span className="muted small block">weight {replica.weight}</span></td>
                <td>
                  <Badge tone={TONES[replica.state] ?? "plain"}>{replica.state.replaceAll("_", " ")}</Badge>
                  {replica.breaker !== "closed" && <span className="muted small block">breaker {replica.breaker.replaceAll("_", " ")}{replica.asked_again_in_s > 0 ? `, asked again in ${milliseconds(1000 * replica.asked_again_in_s)}` : ""}</span>}
                </td>
                <td className="number">{count(replica.running)}</td>
                <td className="number">{short(replica.outstanding_tokens)}</td>
                <td className="number">{count(replica.served)}</td>
                <td className="number">{count(replica.failures)}</td>
                <td className="number">{(100 * replica.error_rate).toFixed(1)} %</td>
                <td className="number">{replica.first_token_s === null ? "–" : milliseconds(1000 * replica.first_token_s)}</td>
                <td className="tools">
                  {!mine ? null : !taken(replica) ? (
                    <Button kind="quiet" disabled={busy === replica.name} aria-label={`Put ${replica.name} back`} onClick={() => onUndrain(replica.name)}>Put back</Button>
                  ) : (
                    <Button kind="quiet" disabled={busy === replica.name} aria-label={`Drain ${replica.name}`} onClick={() => onDrain(replica.name)}>Drain</Button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function RouteTable({ route }: { route: Route }): ReactNode {
  const given = route.arms.reduce((all, arm) => all + arm.given, 0);
  return (
    <section className="stack" aria-label={`Route ${route.name}`}>
      <div>
        <h2>Route {route.name}</h2>
        {route.fallback.length > 0 && <p className="muted small">When an arm fails: {route.fallback.join(", then ")}.</p>}
      </div>
      <div className="scroll" tabIndex={0} role="group" aria-label={`Route ${route.name}`}>
        <table className="table">
          <thead><tr><th>Arm</th><th>Model</th><th className="number">Weight</th><th className="number">Requests</th><th className="number">Share</th></tr></thead>
          <tbody>
            {route.arms.map((arm) => <tr key={arm.name}><td>{arm.name}</td><td>{arm.model}</td><td className="number">{arm.weight}</td><td className="number">{count(arm.given)}</td><td className="number">{share(arm.given, given)}</td></tr>)}
            {route.shadows.map((arm) => <tr key={arm.name}><td>{arm.name}</td><td>{arm.model}</td><td className="number">shadow</td><td className="number">–</td><td className="number">{(100 * arm.share).toFixed(0)} % copied</td></tr>)}
          </tbody>
        </table>
      </div>
    </section>
  );
}
