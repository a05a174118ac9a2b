// Alerts: what is wrong now and what was, who looks after it, and silences.
import { useState, type ReactNode } from "react";
import { ApiError, get, post, remove } from "../../api/client";
import type { Alert, Signal, Silence } from "../../api/monitor";
import type { List } from "../../api/types";
import { count, duration, moment } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { Badge, Button, Choice, Field, IconButton } from "../../ui/controls";
import { Dialog } from "../../ui/dialog";
import { Empty, Loaded, Note } from "../../ui/states";
import { toast } from "../../ui/toast";

type Which = "firing" | "resolved" | "all";

export function AlertsView(): ReactNode {
  const [which, setWhich] = useState<Which>("firing");
  const url = `/v1/alerts?limit=50&order=desc${which === "all" ? "" : `&state=${which}`}`;
  const alerts = useResource(url, (signal) => get<List<Alert>>(url, signal));
  const silences = useResource("silences", (signal) => get<List<Silence>>("/v1/silences", signal));
  const [silencing, setSilencing] = useState<Alert | "any">();
  const acknowledge = async (alert: Alert): Promise<void> => {
    try {
      await post(`/v1/alerts/${alert.id}/acknowledge`, {});
      toast("Acknowledged: nobody is notified again while it lasts");
    } catch (error) {
      toast((error as ApiError).message);
    }
    alerts.reload();
  };
  return (
    <section className="stack" aria-label="Alerts">
      <div className="section-head">
        <Choice label="Which alerts" value={which} onChange={setWhich} options={[{ value: "firing", label: "Firing" }, { value: "resolved", label: "Resolved" }, { value: "all", label: "All" }]} />
        <span className="row">
          <Button icon="bell" onClick={() => setSilencing("any")}>New silence</Button>
          <IconButton icon="refresh" label="Refresh" onClick={() => { alerts.reload(); silences.reload(); }} disabled={alerts.loading} />
        </span>
      </div>
      <Loaded of={alerts} what="Reading the alerts">
        {(found) =>
          found.data.length === 0 ? (
            <Empty icon="check" title={which === "firing" ? "Nothing is firing" : "No alerts"}>
              Latency, errors, costs, quality, safety, drift and objectives are monitored. Unusual values appear here.
            </Empty>
          ) : (
            <ul className="stack">
              {found.data.map((alert) => (
                <AlertCard key={alert.id} alert={alert} onAcknowledge={() => void acknowledge(alert)} onSilence={() => setSilencing(alert)} />
              ))}
            </ul>
          )
        }
      </Loaded>
      <Loaded of={silences}>{(found) => <Silences found={found.data} onGone={() => { silences.reload(); alerts.reload(); }} />}</Loaded>
      {silencing && (
        <NewSilence
          alert={silencing === "any" ? undefined : silencing}
          onClose={() => setSilencing(undefined)}
          onMade={() => {
            setSilencing(undefined);
            silences.reload();
            alerts.reload();
          }}
        />
      )}
    </section>
  );
}

interface CardProps {
  alert: Alert;
  onAcknowledge: () => void;
  onSilence: () => void;
}

function AlertCard({ alert, onAcknowledge, onSilence }: CardProps): ReactNode {
  const firing = alert.state === "firing";
  const lasted = (alert.cleared_at ?? Date.now() / 1000) - alert.raised_at;
  return (
    <li className={`card alert-card ${firing ? alert.severity : "resolved"}`}>
      <div className="between">
        <div className="row">
          <Badge tone={firing ? (alert.severity === "critical" ? "bad" : "warn") : "good"}>{firing ? alert.severity : "resolved"}</Badge>
          <h2>{alert.name || alert.rule} · {alert.application || "all applications"}</h2>
          {alert.silenced && <Badge>silenced</Badge>}
          {alert.acknowledged_at && <Badge tone="accent">acknowledged</Badge>}
        </div>
        <span className="muted small">{moment(alert.raised_at)}, {firing ? "for" : "lasted"} {duration(lasted)}</span>
      </div>
      <p>{alert.summary}</p>
      {alert.signals.length > 0 && <Signals signals={alert.signals} />}
      <div className="row">
        {firing && !alert.acknowledged_at && <Button onClick={onAcknowledge}>Acknowledge</Button>}
        {firing && !alert.silenced && <Button onClick={onSilence}>Silence</Button>}
        <Runbook at={alert.runbook} />
      </div>
    </li>
  );
}

// An address elsewhere is a link; a page of the documentation has its name.
function Runbook({ at }: { at: string }): ReactNode {
  if (!at) return null;
  if (/^https?:\/\//.test(at)) return <a href={at} target="_blank" rel="noopener noreferrer">Runbook</a>;
  return <span className="muted small">Runbook: <code>{at}</code></span>;
}

function said(signal: Signal, value: number): string {
  if (signal.unit === "s") return duration(value);
  if (signal.unit === "share") return `${(100 * value).toFixed(1)} %`;
  if (signal.unit === "usd") return `$${value.toPrecision(3)}`;
  return Number.isInteger(value) ? count(value) : value.toPrecision(3);
}

function Signals({ signals }: { signals: Signal[] }): ReactNode {
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label="Signals">
      <table className="table compact">
        <thead><tr><th>Signal</th><th className="number">Now</th><th className="number">Before</th><th className="number">Limit</th><th className="number">Requests</th><th>Examples</th></tr></thead>
        <tbody>
          {signals.map((signal) => (
            <tr key={signal.name}>
              <td>{signal.name.replaceAll("_", " ")}</td>
              <td className={`number ${signal.wrong ? "bad" : ""}`}>{said(signal, signal.value)}</td>
              <td className="number">{signal.before === null ? "–" : said(signal, signal.before)}</td>
              <td className="number">{said(signal, signal.limit)}</td>
              <td className="number">{count(signal.samples)}</td>
              <td><Examples traces={signal.examples} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Examples({ traces }: { traces: readonly string[] }): ReactNode {
  if (traces.length === 0) return <>–</>;
  return <span className="row">{traces.slice(-3).map((id) => <Link key={id} to={path("traces", id)} className="mono">{id.slice(0, 8)}</Link>)}</span>;
}

function Silences({ found, onGone }: { found: Silence[]; onGone: () => void }): ReactNode {
  const end = async (silence: Silence): Promise<void> => {
    try {
      await remove(`/v1/silences/${silence.id}`);
      toast("The silence has ended");
    } catch (error) {
      toast((error as ApiError).message);
    }
    onGone();
  };
  if (found.length === 0) return null;
  return (
    <section className="stack" aria-label="Silences">
      <h2>Silences</h2>
      <div className="scroll" tabIndex={0} role="group" aria-label="Silences">
        <table className="table">
          <thead><tr><th>Rule</th><th>Application</th><th>Until</th><th>Why</th><th className="tools"><span className="hidden">Actions</span></th></tr></thead>
          <tbody>
            {found.map((silence) => (
              <tr key={silence.id}>
                <td>{silence.rule || "any"}</td>
                <td>{silence.application || "any"}</td>
                <td className="nowrap">{moment(silence.until)}</td>
                <td>{silence.comment || "–"}</td>
                <td className="tools"><Button kind="quiet" onClick={() => void end(silence)}>End</Button></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

const HOURS = [1, 4, 24, 168];

function NewSilence({ alert, onClose, onMade }: { alert?: Alert; onClose: () => void; onMade: () => void }): ReactNode {
  const [rule, setRule] = useState(alert?.rule ?? "");
  const [application, setApplication] = useState(alert?.application ?? "");
  const [hours, setHours] = useState(4);
  const [comment, setComment] = useState("");
  const [error, setError] = useState("");
  const submit = async (): Promise<void> => {
    try {
      await post("/v1/silences", { rule, application, seconds: hours * 3600, comment: comment.trim() });
      onMade();
    } catch (problem) {
      setError((problem as ApiError).message);
    }
  };
  return (
    <Dialog
      title="New silence"
      subtitle="Nobody is notified of these alerts. They are still recorded."
      onClose={onClose}
      actions={<><Button onClick={onClose}>Cancel</Button><Button kind="primary" onClick={() => void submit()}>Silence</Button></>}
    >
      {error && <Note tone="bad">{error}</Note>}
      <Field label="Rule" hint="empty: any rule">{(ids) => <input {...ids} value={rule} placeholder="any" onChange={(event) => setRule(event.target.value)} />}</Field>
      <Field label="Application" hint="empty: any application">{(ids) => <input {...ids} value={application} placeholder="any" onChange={(event) => setApplication(event.target.value)} />}</Field>
      <Field label="For">
        {(ids) => <select {...ids} value={hours} onChange={(event) => setHours(Number(event.target.value))}>{HOURS.map((each) => <option key={each} value={each}>{duration(each * 3600)}</option>)}</select>}
      </Field>
      <Field label="Why" hint="optional">{(ids) => <input {...ids} value={comment} maxLength={1000} onChange={(event) => setComment(event.target.value)} />}</Field>
    </Dialog>
  );
}
