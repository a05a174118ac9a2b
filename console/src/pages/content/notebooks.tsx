// The notebooks, and making one of documents of a collection.
import { useState, type ReactNode } from "react";
import { ApiError, get, post } from "../../api/client";
import { NOTEBOOKS, type Notebook, type NotebookRow } from "../../api/content";
import type { List } from "../../api/types";
import { moment, plural } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { go, Link, path } from "../../lib/route";
import { Button } from "../../ui/controls";
import { Dialog } from "../../ui/dialog";
import { Empty, Loaded } from "../../ui/states";
import { toast } from "../../ui/toast";

export function NotebookList(): ReactNode {
  const url = `${NOTEBOOKS}?limit=100&order=desc`;
  const notebooks = useResource(url, (signal) => get<List<NotebookRow>>(url, signal));
  const [making, setMaking] = useState(false);
  const make = <Button kind="primary" icon="plus" onClick={() => setMaking(true)}>New notebook</Button>;
  return (
    <>
      <Loaded of={notebooks} what="Reading the notebooks">
        {({ data }) =>
          data.length === 0 ? (
            <Empty icon="knowledge" title="There are no notebooks yet" action={make}>A notebook answers from the documents that you choose, and from nothing else.</Empty>
          ) : (
            <>
              <div>{make}</div>
              <div className="cards">
                {data.map((each) => (
                  <Link key={each.id} to={path("content", "notebooks", each.id)} className="card card-link">
                    <strong className="breaking">{each.name}</strong>
                    <span className="muted small">{plural(each.document_count, "document")}, {moment(each.created_at)}</span>
                  </Link>
                ))}
              </div>
            </>
          )
        }
      </Loaded>
      {making && <Make onClose={() => setMaking(false)} />}
    </>
  );
}

interface Choice {
  store: string;
  files: { id: string; filename?: string; document_id?: string }[];
}

function Make({ onClose }: { onClose: () => void }): ReactNode {
  const stores = useResource("notebook stores", (signal) => get<List<{ id: string; name: string }>>("/v1/vector_stores?limit=100", signal));
  const [name, setName] = useState("");
  const [store, setStore] = useState("");
  const [chosen, setChosen] = useState<string[]>([]);
  const files = useResource<Choice>(`notebook files ${store}`, async (signal) => ({
    store,
    files: store ? (await get<List<Choice["files"][number]>>(`/v1/vector_stores/${encodeURIComponent(store)}/files?limit=100`, signal)).data : [],
  }));
  const make = async (): Promise<void> => {
    try {
      const made = await post<Notebook>(NOTEBOOKS, { name: name.trim(), collection: store, documents: chosen });
      go(path("content", "notebooks", made.id));
    } catch (error) {
      toast((error as ApiError).message);
    }
  };
  return (
    <Dialog title="New notebook" onClose={onClose} actions={<><Button onClick={onClose}>Cancel</Button><Button kind="primary" disabled={!name.trim() || !store} onClick={() => void make()}>Make it</Button></>}>
      <div className="stack">
        <label className="stack">Name<input value={name} maxLength={200} onChange={(event) => setName(event.target.value)} /></label>
        <Loaded of={stores} what="Reading the collections">
          {({ data }) => (
            <label className="stack">Collection
              <select value={store} onChange={(event) => { setStore(event.target.value); setChosen([]); }}>
                <option value="">choose one</option>
                {data.map((each) => <option key={each.id} value={each.id}>{each.name}</option>)}
              </select>
            </label>
          )}
        </Loaded>
        {store && (
          <Loaded of={files} what="Reading the documents">
            {({ files: found }) => (
              <fieldset className="stack">
                <legend>Documents</legend>
                {found.map((each) => (
                  <label key={each.id} className="row breaking">
                    <input type="checkbox" checked={chosen.includes(each.id)} onChange={(event) => setChosen(event.target.checked ? [...chosen, each.id] : chosen.filter((id) => id !== each.id))} />
                    {each.filename ?? each.id}
                  </label>
                ))}
                <p className="muted small">None chosen: all of them, fifty at most.</p>
              </fieldset>
            )}
          </Loaded>
        )}
      </div>
    </Dialog>
  );
}
