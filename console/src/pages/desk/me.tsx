// Who works here: the name that customers see, and the queues of one's own.
import { useState, type ReactNode } from "react";
import { ApiError, get, put } from "../../api/client";
import type { Person } from "../../api/desk";
import { useResource } from "../../lib/resource";
import { Button, Field } from "../../ui/controls";
import { Dialog } from "../../ui/dialog";
import { Note } from "../../ui/states";

export function Me({ queues }: { queues: string[] }): ReactNode {
  const me = useResource("/v1/desk/people/me", (signal) => get<Person>("/v1/desk/people/me", signal));
  const [editing, setEditing] = useState(false);
  if (!me.data) return null;
  return (
    <>
      <Button kind="quiet" onClick={() => setEditing(true)}>{me.data.name || "Set your name"}</Button>
      {editing && <Edit of={me.data} queues={queues} onClose={() => setEditing(false)} onDone={() => { setEditing(false); me.reload(); }} />}
    </>
  );
}

function Edit({ of, queues, onClose, onDone }: { of: Person; queues: string[]; onClose: () => void; onDone: () => void }): ReactNode {
  const [name, setName] = useState(of.name);
  const [own, setOwn] = useState(of.queues.join(", "));
  const [error, setError] = useState("");
  const save = async (): Promise<void> => {
    const chosen = own.split(",").map((each) => each.trim()).filter(Boolean);
    try {
      await put("/v1/desk/people/me", { name: name.trim(), queues: chosen }, 0);
      onDone();
    } catch (failed) {
      setError(failed instanceof ApiError ? failed.message : "This did not work");
    }
  };
  return (
    <Dialog title="You at the desk" onClose={onClose} actions={<><Button onClick={onClose}>Cancel</Button><Button kind="primary" disabled={!name.trim()} onClick={() => void save()}>Save</Button></>}>
      <Field label="Name" hint="Customers read it beside your answers.">{(ids) => <input {...ids} value={name} maxLength={100} onChange={(event) => setName(event.target.value)} />}</Field>
      <Field label="Queues" hint={`Names separated by commas; empty: all. There are ${queues.join(", ") || "none yet"}.`}>{(ids) => <input {...ids} value={own} onChange={(event) => setOwn(event.target.value)} />}</Field>
      {error && <Note tone="bad">{error}</Note>}
    </Dialog>
  );
}
