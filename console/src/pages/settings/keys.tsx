// API keys: making, replacing and revoking them. A secret is shown once.
import { useState, type ReactNode } from "react";
import { ApiError, get, may, post, remove } from "../../api/client";
import type { Key, Limits, List, Scope } from "../../api/types";
import { day, moment, plural } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { useMe } from "../../session";
import { Badge, Button, Field, IconButton } from "../../ui/controls";
import { Confirm, Dialog } from "../../ui/dialog";
import { Loaded, Note } from "../../ui/states";
import { copy, toast } from "../../ui/toast";

const TONES = { active: "good", revoked: "bad", expired: "warn" } as const;

export function KeyTable(): ReactNode {
  const me = useMe();
  const keys = useResource("keys", (signal) => get<List<Key>>("/v1/keys", signal));
  const [making, setMaking] = useState(false);
  const [ended, setEnded] = useState(false);
  const [changing, setChanging] = useState<{ key: Key; how: "replace" | "revoke"; heirs?: "revoke" | "keep"; asked?: string }>();
  const [made, setMade] = useState<Key>();

  const act = async (): Promise<void> => {
    const { key, how, heirs } = changing!;
    try {
      if (how === "revoke") {
        const gone = await remove<{ revoked_children?: string[] }>(`/v1/keys/${key.id}${heirs ? `?children=${heirs}` : ""}`);
        const also = gone.revoked_children?.length ?? 0;
        toast(also > 0 ? `${key.name} is revoked, and ${plural(also, "key")} that it made` : `${key.name} is revoked`);
      } else {
        setMade(await post<Key>(`/v1/keys/${key.id}/rotate`, { overlap_s: 3600 }));
      }
    } catch (error) {
      const problem = error as ApiError;
      if (how === "revoke" && !heirs && problem.status === 409 && problem.param === "children") {
        // It made keys that still work: what becomes of them must be said.
        setChanging({ key, how, heirs: "keep", asked: problem.message });
        return;
      }
      toast(problem.message);
    }
    setChanging(undefined);
    keys.reload();
  };
  return (
    <section className="stack" aria-label="Keys">
      <div className="section-head">
        <label className="check"><input type="checkbox" checked={ended} onChange={(event) => setEnded(event.target.checked)} /><span>Show revoked and expired keys</span></label>
        <Button kind="primary" icon="plus" onClick={() => setMaking(true)}>New key</Button>
      </div>
      <Loaded of={keys}>
        {(found) => (
          <div className="scroll" tabIndex={0} role="group" aria-label="Keys">
            <table className="table">
              <thead><tr><th>Name</th><th>Prefix</th><th>Scopes</th><th>Groups</th><th>Limited to</th><th>Last used</th><th>Expires</th><th>State</th><th className="tools"><span className="hidden">Actions</span></th></tr></thead>
              <tbody>
                {found.data.filter((key) => ended || key.status === "active").map((key) => (
                  <tr key={key.id}>
                    <td>{key.name}{key.id === me.key_id && <span className="muted small block">the key that you use</span>}{key.parent && <span className="muted small block">made by {found.data.find((each) => each.id === key.parent)?.name ?? key.parent}</span>}{key.tier && <span className="muted small block">tier {key.tier}</span>}</td>
                    <td className="nowrap"><code>{key.hint}…</code></td>
                    <td>{key.scopes.join(", ")}</td>
                    <td>{key.groups.join(", ") || "–"}</td>
                    <td>{[...(key.models ?? []), ...(key.collections ?? []), ...(key.regions ?? [])].join(", ") || "–"}</td>
                    <td className="nowrap">{key.last_used_at ? moment(key.last_used_at) : "never"}</td>
                    <td className="nowrap">{key.expires_at ? day(key.expires_at) : "never"}</td>
                    <td><Badge tone={TONES[key.status]}>{key.status}</Badge></td>
                    <td className="tools">
                      {key.status === "active" && (
                        <>
                          <IconButton icon="refresh" size={15} label={`Replace ${key.name}`} onClick={() => setChanging({ key, how: "replace" })} />
                          <IconButton icon="trash" size={15} label={`Revoke ${key.name}`} disabled={key.id === me.key_id} onClick={() => setChanging({ key, how: "revoke" })} />
                        </>
                      )}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Loaded>
      {making && <NewKey onClose={() => setMaking(false)} onMade={(key) => { setMaking(false); setMade(key); keys.reload(); }} />}
      {made && <Secret made={made} onClose={() => setMade(undefined)} />}
      {changing && (
        <Confirm
          title={changing.how === "revoke" ? `Revoke ${changing.key.name}?` : `Replace ${changing.key.name}?`}
          verb={changing.how === "revoke" ? "Revoke" : "Replace"}
          onYes={() => void act()}
          onClose={() => setChanging(undefined)}
        >
          {changing.heirs && (
            <fieldset>
              <legend>What happens to the keys that it created?</legend>
              <p className="hint">{changing.asked}</p>
              {HEIRS.map(({ heirs, what }) => (
                <label className="check" key={heirs}>
                  <input type="radio" name="heirs" checked={changing.heirs === heirs} onChange={() => setChanging({ ...changing, heirs })} />
                  <span>{what}</span>
                </label>
              ))}
            </fieldset>
          )}
          <p>{changing.how === "revoke" ? "Requests with this key are refused from now on. This cannot be undone." : "A new secret is created. The old one works for another hour, so you can update programs."}</p>
        </Confirm>
      )}
    </section>
  );
}

const HEIRS = [
  { heirs: "keep", what: "They keep working" },
  { heirs: "revoke", what: "They are revoked too, with the keys that they created" },
] as const;

function Secret({ made, onClose }: { made: Key; onClose: () => void }): ReactNode {
  return (
    <Dialog title={`The secret of ${made.name}`} onClose={onClose} actions={<Button kind="primary" onClick={onClose}>Done</Button>}>
      <Note tone="warn">Copy it now: it is shown only once. The server keeps only a hash.</Note>
      <div className="secret">
        <code>{made.secret}</code>
        <IconButton icon="copy" label="Copy the secret" onClick={() => void copy(made.secret ?? "", "Secret")} />
      </div>
    </Dialog>
  );
}

function NewKey({ onClose, onMade }: { onClose: () => void; onMade: (key: Key) => void }): ReactNode {
  const me = useMe();
  const all = useResource("scopes", (signal) => get<List<{ id: Scope; allows: string }>>("/v1/scopes", signal));
  const limits = useResource("limits", (signal) => get<Limits>("/v1/limits", signal));
  const [name, setName] = useState("");
  const [scopes, setScopes] = useState<Scope[]>(["chat", "embed"]);
  const [groups, setGroups] = useState<string[]>([]);
  const [days, setDays] = useState("");
  const [tier, setTier] = useState("");
  const [models, setModels] = useState("");
  const [collections, setCollections] = useState("");
  const [usd, setUsd] = useState("");
  const [consent, setConsent] = useState(false);
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (): Promise<void> => {
    setBusy(true);
    setError("");
    try {
      const made = await post<Key>("/v1/keys", { name: name.trim(), scopes, groups, tier, consent, models: names(models), collections: names(collections), days: days === "" ? null : Number(days) });
      if (usd !== "") {
        // The key is there either way: its secret must not be lost over its budget.
        await post("/v1/budgets", { name: made.name, scope: "key", subject: made.id, window: "month", hard: true, limit_usd: usd, limit_tokens: null }).catch((problem: unknown) =>
          toast(`The key has no budget: ${(problem as ApiError).message}`),
        );
      }
      onMade(made);
    } catch (problem) {
      setError((problem as ApiError).message);
      setBusy(false);
    }
  };
  const toggle = <T,>(all: T[], one: T, on: boolean): T[] => (on ? [...all, one] : all.filter((each) => each !== one));
  const tiers = Object.keys(limits.data?.tiers ?? {});
  return (
    <Dialog
      title="New key"
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" disabled={busy || !name.trim() || scopes.length === 0} onClick={() => void submit()}>Create key</Button>
        </>
      }
    >
      {error && <Note tone="bad">{error}</Note>}
      <Field label="Name" hint="what it is for">{(ids) => <input {...ids} autoFocus value={name} maxLength={128} onChange={(event) => setName(event.target.value)} />}</Field>
      <fieldset>
        <legend>It may</legend>
        {(all.data?.data ?? []).filter(({ id }) => id !== "operate" || may(me, id)).map(({ id, allows }) => (
          <label className="check" key={id}>
            <input type="checkbox" checked={scopes.includes(id)} onChange={(event) => setScopes(toggle(scopes, id, event.target.checked))} />
            <span><strong>{id}</strong> <span className="muted">{allows}</span></span>
          </label>
        ))}
      </fieldset>
      {me.groups.length > 0 ? (
        <fieldset>
          <legend>Groups</legend>
          <div className="checks">
            {me.groups.map((group) => (
              <label className="check" key={group}>
                <input type="checkbox" checked={groups.includes(group)} onChange={(event) => setGroups(toggle(groups, group, event.target.checked))} />
                <span>{group}</span>
              </label>
            ))}
          </div>
        </fieldset>
      ) : (
        <p className="hint">Groups: your key is in no group, so it cannot assign one. A key of a group is made with <code>mainspring keys create NAME --group GROUP</code>.</p>
      )}
      <div className="parameters-grid">
        <Field label="Expires after days" hint="empty: never">{(ids) => <input {...ids} type="number" min={1} value={days} onChange={(event) => setDays(event.target.value)} />}</Field>
        <Field label="Models" hint="separated by commas; empty: any">{(ids) => <input {...ids} value={models} onChange={(event) => setModels(event.target.value)} />}</Field>
        <Field label="Collections" hint="separated by commas; empty: any">{(ids) => <input {...ids} value={collections} onChange={(event) => setCollections(event.target.value)} />}</Field>
        <Field label="Budget in US dollars a month" hint="empty: no budget; requests beyond it are refused">{(ids) => <input {...ids} type="number" min={0} step="any" value={usd} onChange={(event) => setUsd(event.target.value)} />}</Field>
        {tiers.length > 0 && (
          <Field label="Tier" hint="its limits">
            {(ids) => <select {...ids} value={tier} onChange={(event) => setTier(event.target.value)}><option value="">none</option>{tiers.map((each) => <option key={each}>{each}</option>)}</select>}
          </Field>
        )}
      </div>
      <label className="check">
        <input type="checkbox" checked={consent} onChange={(event) => setConsent(event.target.checked)} />
        <span>Requests with this key may be used to improve models</span>
      </label>
    </Dialog>
  );
}

function names(text: string): string[] {
  return text.split(",").map((each) => each.trim()).filter(Boolean);
}
