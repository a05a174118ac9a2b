// All collections that the key may see, and making one.
import { useState, type FormEvent, type ReactNode } from "react";
import { ApiError, may, post } from "../../api/client";
import type { Store } from "../../api/types";
import { everything } from "../../lib/everything";
import { bytes, plural } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { go, Link, path } from "../../lib/route";
import { useMe } from "../../session";
import { Badge, Button, Field } from "../../ui/controls";
import { Dialog } from "../../ui/dialog";
import { Empty, Loaded, Note } from "../../ui/states";

export function Collections(): ReactNode {
  const me = useMe();
  const stores = useResource("stores", (signal) => everything<Store>("/v1/vector_stores", signal));
  const [making, setMaking] = useState(false);
  const fills = may(me, "ingest");
  const make = <Button kind="primary" icon="plus" onClick={() => setMaking(true)}>New collection</Button>;
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <h1>Knowledge</h1>
          <p className="muted">Collections of documents that answers come from.</p>
        </div>
        {fills && stores.data && stores.data.length > 0 && make}
      </header>
      {!fills && <Note>This key may read. To add documents it needs the scope <code>ingest</code>.</Note>}
      <Loaded of={stores} what="Looking for collections">
        {(found) =>
          found.length === 0 ? (
            <Empty icon="knowledge" title="There are no collections yet" action={fills ? make : undefined}>
              Put documents into one and ask them in the chat.
            </Empty>
          ) : (
            <div className="cards">
              {found.map((store) => <StoreCard key={store.id} store={store} />)}
            </div>
          )
        }
      </Loaded>
      {making && <NewCollection onClose={() => setMaking(false)} />}
    </div>
  );
}

function StoreCard({ store }: { store: Store }): ReactNode {
  const counts = store.file_counts;
  return (
    <Link to={path("knowledge", store.id)} className="card card-link">
      <div className="between">
        <h2>{store.name}</h2>
        {counts.in_progress > 0 ? <Badge tone="accent">reading {counts.in_progress}</Badge> : counts.failed > 0 ? <Badge tone="bad">{counts.failed} not read</Badge> : null}
      </div>
      {store.description && <p className="muted small">{store.description}</p>}
      <p className="muted small">
        {plural(counts.total, "document")} · {bytes(store.usage_bytes)} of text
        {store.groups.length > 0 && ` · only for ${store.groups.join(", ")}`}
      </p>
    </Link>
  );
}

function NewCollection({ onClose }: { onClose: () => void }): ReactNode {
  const me = useMe();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [groups, setGroups] = useState<string[]>([]);
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (event?: FormEvent): Promise<void> => {
    event?.preventDefault();
    setBusy(true);
    try {
      const made = await post<Store>("/v1/vector_stores", { name: name.trim(), groups, description: description.trim() || undefined });
      go(path("knowledge", made.id));
    } catch (problem) {
      setError((problem as ApiError).message);
      setBusy(false);
    }
  };
  return (
    <Dialog
      title="New collection"
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" disabled={busy || !name.trim()} onClick={() => void submit()}>Create</Button>
        </>
      }
    >
      <form className="stack" onSubmit={(event) => void submit(event)}>
        <Field label="Name" hint="It answers as a model with this name." error={error}>
          {(ids) => <input {...ids} autoFocus value={name} maxLength={128} aria-invalid={error !== ""} onChange={(event) => setName(event.target.value)} />}
        </Field>
        <Field label="Description" hint="optional">
          {(ids) => <textarea {...ids} rows={2} value={description} onChange={(event) => setDescription(event.target.value)} />}
        </Field>
        {me.groups.length > 0 && (
          <fieldset>
            <legend>Who may see it</legend>
            <p className="hint">None chosen: everybody in the tenant.</p>
            <div className="checks">
              {me.groups.map((group) => (
                <label className="check" key={group}>
                  <input type="checkbox" checked={groups.includes(group)} onChange={(event) => setGroups(event.target.checked ? [...groups, group] : groups.filter((each) => each !== group))} />
                  <span>{group}</span>
                </label>
              ))}
            </div>
          </fieldset>
        )}
      </form>
    </Dialog>
  );
}
