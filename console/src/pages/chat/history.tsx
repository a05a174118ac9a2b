// The conversations that are kept in this browser.
import { useState, type ReactNode } from "react";
import { ApiError, remove } from "../../api/client";
import { storeUrl } from "../../api/upload";
import { forget, rename, type Conversation } from "../../lib/conversations";
import { moment } from "../../lib/format";
import { go, Link, path } from "../../lib/route";
import { contains, markdown, save } from "../../lib/written";
import { Button, Field, IconButton } from "../../ui/controls";
import { Confirm, Dialog } from "../../ui/dialog";
import { toast } from "../../ui/toast";

interface Props {
  all: Conversation[];
  current: string | undefined;
  onNew: () => void;
  onClose: () => void;
}

function named(conversation: Conversation): string {
  return conversation.title || conversation.attached?.files.map((file) => file.name).join(", ") || "Untitled";
}

export function History({ all, current, onNew, onClose }: Props): ReactNode {
  const [going, setGoing] = useState<Conversation>();
  const [naming, setNaming] = useState<Conversation>();
  const [words, setWords] = useState("");
  const [files, setFiles] = useState(false);
  return (
    <section className="history" aria-label="Conversations">
      <div className="history-head">
        <Button icon="plus" onClick={onNew}>New conversation</Button>
        <IconButton className="only-narrow" icon="close" label="Close the list" onClick={onClose} />
      </div>
      {all.length > 4 && <input type="search" aria-label="Find a conversation" placeholder="Find a conversation" value={words} onChange={(event) => setWords(event.target.value)} />}
      {all.length === 0 && <p className="muted small pad">What you ask is kept in this browser, for your key alone.</p>}
      <ul>
        {all.filter((each) => contains(each, words)).map((each) => (
          <li key={each.id}>
            <Link to={path("chat", each.id)} aria-current={each.id === current ? "page" : undefined} onClick={onClose}>
              <span className="history-title">{named(each)}</span>
              <span className="muted small">
                {each.panes.map((pane) => pane.model).join(" and ")} · {moment(each.at)}
              </span>
            </Link>
            <IconButton icon="edit" size={14} label={`Rename “${named(each)}”`} onClick={() => setNaming(each)} />
            <IconButton icon="file" size={14} label={`Export “${named(each)}”`} onClick={() => save(named(each), markdown(each))} />
            <IconButton icon="trash" size={14} label={`Delete “${named(each)}”`} onClick={() => { setFiles(false); setGoing(each); }} />
          </li>
        ))}
      </ul>
      {naming && <Rename conversation={naming} onClose={() => setNaming(undefined)} />}
      {going && (
        <Confirm
          title="Delete this conversation?"
          verb="Delete"
          onClose={() => setGoing(undefined)}
          onYes={() => {
            const store = going.attached?.store;
            if (files && store?.own) {
              remove(storeUrl(store.id)).catch((error: unknown) => toast(error instanceof ApiError ? error.message : "The files were not deleted."));
            }
            forget(going.id);
            if (going.id === current) go(path("chat"), true);
            setGoing(undefined);
          }}
        >
          <p>“{named(going)}” is removed from this browser. What the server recorded of it stays there.</p>
          {going.attached?.store?.own && (
            <label className="check">
              <input type="checkbox" checked={files} onChange={(event) => setFiles(event.target.checked)} />
              <span>Delete its files too ({going.attached.store.name})</span>
            </label>
          )}
        </Confirm>
      )}
    </section>
  );
}

function Rename({ conversation, onClose }: { conversation: Conversation; onClose: () => void }): ReactNode {
  const [title, setTitle] = useState(named(conversation));
  const done = (): void => {
    rename(conversation.id, title);
    onClose();
  };
  return (
    <Dialog title="Rename the conversation" onClose={onClose} actions={<><Button onClick={onClose}>Cancel</Button><Button kind="primary" disabled={!title.trim()} onClick={done}>Rename</Button></>}>
      <Field label="Title">
        {(ids) => <input {...ids} value={title} maxLength={80} onChange={(event) => setTitle(event.target.value)} onKeyDown={(event) => { if (event.key === "Enter" && title.trim()) done(); }} />}
      </Field>
    </Dialog>
  );
}
