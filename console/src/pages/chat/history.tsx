// The conversations of whoever is signed in.
import { useEffect, useState, type ReactNode } from "react";
import { ApiError, remove } from "../../api/client";
import { storeUrl } from "../../api/upload";
import { find, forget, load, rename, search, type Conversation } from "../../lib/conversations";
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
  const [found, setFound] = useState<Set<string>>();
  useEffect(() => {
    setFound(undefined);
    if (!words.trim()) return undefined;
    const stopping = new AbortController();
    // Not for every letter of a word.
    const timer = setTimeout(() => {
      search(words, stopping.signal).then(setFound, (error: unknown) => {
        if (!stopping.signal.aborted) toast(error instanceof ApiError ? error.message : "Conversations cannot be searched.");
      });
    }, 250);
    return () => {
      clearTimeout(timer);
      stopping.abort();
    };
  }, [words]);
  const shown = all.filter((each) => found?.has(each.id) || contains(each, words));
  const exported = (conversation: Conversation): void => {
    load(conversation.id).then(
      () => save(named(conversation), markdown(find(conversation.id) ?? conversation)),
      (error: unknown) => toast(error instanceof ApiError ? error.message : "The conversation could not be read."),
    );
  };
  return (
    <section className="history" aria-label="Conversations">
      <div className="history-head">
        <Button icon="plus" onClick={onNew}>New conversation</Button>
        <IconButton className="only-narrow" icon="close" label="Close the list" onClick={onClose} />
      </div>
      {(all.length > 4 || words !== "") && <input type="search" aria-label="Find a conversation" placeholder="Find a conversation" value={words} onChange={(event) => setWords(event.target.value)} />}
      {all.length === 0 && <p className="muted small pad">Your questions are kept on the server. Only your key can see them.</p>}
      <ul>
        {shown.map((each) => (
          <li key={each.id}>
            <Link to={path("chat", each.id)} aria-current={each.id === current ? "page" : undefined} onClick={onClose}>
              <span className="history-title">{named(each)}</span>
              <span className="muted small">
                {[each.panes.map((pane) => pane.model).filter(Boolean).join(" and "), moment(each.at)].filter(Boolean).join(" · ")}
              </span>
            </Link>
            <IconButton icon="edit" size={14} label={`Rename “${named(each)}”`} onClick={() => setNaming(each)} />
            <IconButton icon="file" size={14} label={`Export “${named(each)}”`} onClick={() => exported(each)} />
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
            void forget(going.id);
            if (going.id === current) go(path("chat"), true);
            setGoing(undefined);
          }}
        >
          <p>“{named(going)}” is deleted with all its answers, here and on the server. The records keep that the answers were given, and their cost.</p>
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
