// Budgets: how much of each is used, making one and taking one away.
import { useState, type ReactNode } from "react";
import { ApiError, get, post, remove } from "../../api/client";
import type { Budget, List } from "../../api/types";
import { money, moment, share, short } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Badge, Button, Choice, Field, IconButton } from "../../ui/controls";
import { Confirm, Dialog } from "../../ui/dialog";
import { Loaded, Note } from "../../ui/states";
import { toast } from "../../ui/toast";

export function Budgets({ names }: { names?: Map<string, string> }): ReactNode {
  const budgets = useResource("budgets", (signal) => get<List<Budget>>("/v1/budgets", signal));
  const [making, setMaking] = useState(false);
  const [going, setGoing] = useState<Budget>();
  const drop = async (budget: Budget): Promise<void> => {
    try {
      await remove(`/v1/budgets/${budget.id}`);
      toast("The budget is deleted");
    } catch (error) {
      toast((error as ApiError).message);
    }
    setGoing(undefined);
    budgets.reload();
  };
  return (
    <section className="stack" aria-label="Budgets">
      <div className="section-head">
        <h2>Budgets</h2>
        <Button icon="plus" onClick={() => setMaking(true)}>New budget</Button>
      </div>
      <Loaded of={budgets}>
        {(found) =>
          found.data.length === 0 ? (
            <p className="muted">There are no budgets. A hard budget refuses requests that would exceed it; a soft one only marks them.</p>
          ) : (
            <div className="cards">
              {found.data.map((budget) => <BudgetCard key={budget.id} budget={budget} names={names} onDelete={() => setGoing(budget)} />)}
            </div>
          )
        }
      </Loaded>
      {making && <NewBudget names={names} onClose={() => setMaking(false)} onMade={() => { setMaking(false); budgets.reload(); }} />}
      {going && (
        <Confirm title="Delete this budget?" verb="Delete" onYes={() => void drop(going)} onClose={() => setGoing(undefined)}>
          <p>It no longer limits requests.</p>
        </Confirm>
      )}
    </section>
  );
}

const WINDOWS = { day: "per day", month: "per month", total: "in total" };

function BudgetCard({ budget, names, onDelete }: { budget: Budget; names?: Map<string, string>; onDelete: () => void }): ReactNode {
  const whose = budget.scope === "tenant" ? "All requests" : budget.scope === "key" ? `Key ${names?.get(budget.subject) ?? budget.subject}` : budget.subject;
  return (
    <article className="card stack">
      <div className="between top">
        <div>
          <h3>{budget.name || whose}</h3>
          <p className="muted small">{budget.name ? `${whose} · ` : ""}{budget.hard ? "hard" : "soft"} · {WINDOWS[budget.window]}</p>
        </div>
        <span className="row nowrap">
          {budget.exceeded && <Badge tone="bad">used up</Badge>}
          <IconButton icon="trash" size={15} label={`Delete the budget ${budget.name || whose}`} onClick={onDelete} />
        </span>
      </div>
      {budget.limit_usd !== null && <Used spent={budget.spent_usd} limit={budget.limit_usd} said={money} />}
      {budget.limit_tokens !== null && <Used spent={budget.spent_tokens} limit={budget.limit_tokens} said={(value) => `${short(value)} tokens`} />}
      {budget.resets_at !== null && <p className="muted small">Resets {moment(budget.resets_at)}</p>}
    </article>
  );
}

function Used({ spent, limit, said }: { spent: number; limit: number; said: (value: number) => string }): ReactNode {
  return (
    <div>
      <div className="between small"><span>{said(spent)} of {said(limit)}</span><span className="muted">{share(spent, limit)}</span></div>
      <span className="meter" style={{ display: "block", marginTop: 5 }}><span className={spent >= limit ? "over" : ""} style={{ width: `${Math.min(100, limit > 0 ? (100 * spent) / limit : 100)}%` }} /></span>
    </div>
  );
}

function NewBudget({ names, onClose, onMade }: { names?: Map<string, string>; onClose: () => void; onMade: () => void }): ReactNode {
  const [name, setName] = useState("");
  const [scope, setScope] = useState<Budget["scope"]>("tenant");
  const [subject, setSubject] = useState("");
  const [window_, setWindow] = useState<Budget["window"]>("month");
  const [usd, setUsd] = useState("");
  const [tokens, setTokens] = useState("");
  const [hard, setHard] = useState(true);
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (): Promise<void> => {
    setBusy(true);
    setError("");
    try {
      await post("/v1/budgets", {
        name: name.trim(),
        scope,
        subject: scope === "tenant" ? "" : subject,
        window: window_,
        hard,
        limit_usd: usd === "" ? null : usd,
        limit_tokens: tokens === "" ? null : Number(tokens),
      });
      onMade();
    } catch (problem) {
      setError((problem as ApiError).message);
      setBusy(false);
    }
  };
  return (
    <Dialog
      title="New budget"
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" disabled={busy || (usd === "" && tokens === "") || (scope !== "tenant" && !subject)} onClick={() => void submit()}>Create</Button>
        </>
      }
    >
      {error && <Note tone="bad">{error}</Note>}
      <Field label="Name" hint="optional">{(ids) => <input {...ids} autoFocus value={name} onChange={(event) => setName(event.target.value)} />}</Field>
      <Choice label="Whose spending" value={scope} onChange={setScope} options={[{ value: "tenant", label: "All requests" }, { value: "key", label: "One key" }, { value: "application", label: "One application" }]} />
      {scope === "key" && (
        <Field label="Key">
          {(ids) => (
            <select {...ids} value={subject} onChange={(event) => setSubject(event.target.value)}>
              <option value="">Choose a key</option>
              {[...(names ?? [])].map(([id, each]) => <option key={id} value={id}>{each}</option>)}
            </select>
          )}
        </Field>
      )}
      {scope === "application" && (
        <Field label="Application, collection or model" hint="the name in requests">
          {(ids) => <input {...ids} value={subject} onChange={(event) => setSubject(event.target.value)} />}
        </Field>
      )}
      <Choice label="Period" value={window_} onChange={setWindow} options={[{ value: "day", label: "Per day" }, { value: "month", label: "Per month" }, { value: "total", label: "In total" }]} />
      <div className="parameters-grid">
        <Field label="Limit in US dollars">{(ids) => <input {...ids} type="number" min={0} step="any" value={usd} onChange={(event) => setUsd(event.target.value)} />}</Field>
        <Field label="Limit in tokens">{(ids) => <input {...ids} type="number" min={0} step={1} value={tokens} onChange={(event) => setTokens(event.target.value)} />}</Field>
      </div>
      <label className="check"><input type="checkbox" checked={hard} onChange={(event) => setHard(event.target.checked)} /><span>Refuse requests that would exceed it (hard)</span></label>
    </Dialog>
  );
}
