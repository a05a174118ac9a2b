// Drafts of the FAQ: read, edit, approve or reject them; export and publish what was approved.
import { useState, type ReactNode } from "react";
import { ApiError, get, post } from "../../api/client";
import type { FaqEntry } from "../../api/insights";
import type { List } from "../../api/types";
import { plural } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Badge, Button, Choice, Field, IconButton } from "../../ui/controls";
import { Dialog } from "../../ui/dialog";
import { Empty, Loaded } from "../../ui/states";
import { toast } from "../../ui/toast";

type Status = FaqEntry["status"];
const STATES: { value: Status; label: string }[] = [
  { value: "draft", label: "Drafts" },
  { value: "approved", label: "Approved" },
  { value: "rejected", label: "Rejected" },
];

export function FaqView(): ReactNode {
  const [status, setStatus] = useState<Status>("draft");
  const [publishing, setPublishing] = useState(false);
  const url = `/v1/insights/faq?status=${status}`;
  const found = useResource(url, (signal) => get<List<FaqEntry>>(url, signal));
  const draft = async (): Promise<void> => {
    try {
      const { drafts } = await post<{ drafts: number }>("/v1/insights/faq", { days: 90 });
      toast(drafts > 0 ? plural(drafts, "new draft") : "There is no frequent question with a good answer and without an entry");
      found.reload();
    } catch (error) {
      toast((error as ApiError).message);
    }
  };
  return (
    <section className="stack" aria-label="FAQ">
      <div className="section-head">
        <Choice label="State" value={status} onChange={setStatus} options={STATES} />
        <span className="row nowrap">
          <Button icon="plus" onClick={() => void draft()}>Make drafts</Button>
          {status === "approved" && <Button icon="knowledge" onClick={() => setPublishing(true)}>Publish</Button>}
          <IconButton icon="refresh" label="Refresh" onClick={found.reload} disabled={found.loading} />
        </span>
      </div>
      <Loaded of={found} what="Reading the FAQ">
        {({ data }) =>
          data.length === 0 ? (
            <Empty icon="insights" title={status === "draft" ? "No drafts" : `Nothing is ${status}`}>Drafts are made of questions that several conversations asked and that have a cited answer.</Empty>
          ) : (
            <ul className="stack" aria-label="Entries">{data.map((entry) => <EntryCard key={entry.id} entry={entry} onChange={found.reload} />)}</ul>
          )
        }
      </Loaded>
      {publishing && <Publish onClose={() => setPublishing(false)} />}
    </section>
  );
}

function EntryCard({ entry, onChange }: { entry: FaqEntry; onChange: () => void }): ReactNode {
  const [editing, setEditing] = useState(false);
  const change = async (body: Partial<FaqEntry>, said: string): Promise<void> => {
    try {
      await post(`/v1/insights/faq/${encodeURIComponent(entry.id)}`, body);
      toast(said);
      setEditing(false);
      onChange();
    } catch (error) {
      toast((error as ApiError).message);
    }
  };
  const sources = [...new Set(entry.citations.map((each) => each.source).filter(Boolean))];
  return (
    <li className="card stack">
      <div className="between top">
        <h2 className="breaking">{entry.question}</h2>
        <Badge tone="accent">{plural(entry.conversations, "conversation")}</Badge>
      </div>
      <p className="breaking">{entry.answer}</p>
      {sources.length > 0 && <p className="muted small">Sources: {sources.join(", ")}</p>}
      <div className="row wraps">
        {entry.status !== "approved" && <Button kind="primary" icon="check" onClick={() => void change({ status: "approved" }, "Approved")}>Approve</Button>}
        {entry.status !== "rejected" && <Button icon="close" onClick={() => void change({ status: "rejected" }, "Rejected; it is not drafted again")}>Reject</Button>}
        <Button icon="edit" onClick={() => setEditing(true)}>Edit</Button>
      </div>
      {editing && <Edit entry={entry} onClose={() => setEditing(false)} onSave={(body) => void change(body, "Saved")} />}
    </li>
  );
}

function Edit({ entry, onClose, onSave }: { entry: FaqEntry; onClose: () => void; onSave: (body: Partial<FaqEntry>) => void }): ReactNode {
  const [question, setQuestion] = useState(entry.question);
  const [answer, setAnswer] = useState(entry.answer);
  return (
    <Dialog title="Edit an entry" onClose={onClose} actions={<Button kind="primary" disabled={!question.trim() || !answer.trim()} onClick={() => onSave({ question: question.trim(), answer: answer.trim() })}>Save</Button>}>
      <div className="stack">
        <Field label="Question">{(field) => <input {...field} value={question} maxLength={300} onChange={(event) => setQuestion(event.target.value)} />}</Field>
        <Field label="Answer" hint="Personal data is taken out.">{(field) => <textarea {...field} rows={8} value={answer} maxLength={4000} onChange={(event) => setAnswer(event.target.value)} />}</Field>
      </div>
    </Dialog>
  );
}

function Publish({ onClose }: { onClose: () => void }): ReactNode {
  const [collection, setCollection] = useState("");
  const publish = async (): Promise<void> => {
    try {
      const { entries } = await post<{ entries: number }>("/v1/insights/faq/publish", { collection: collection.trim() });
      toast(`${plural(entries, "entry is", "entries are")} in ${collection.trim()}`);
      onClose();
    } catch (error) {
      toast((error as ApiError).message);
    }
  };
  return (
    <Dialog title="Publish the FAQ" subtitle="The approved entries become one document of a collection and replace the previous one." onClose={onClose} actions={<Button kind="primary" disabled={!collection.trim()} onClick={() => void publish()}>Publish</Button>}>
      <Field label="Collection">{(field) => <input {...field} value={collection} onChange={(event) => setCollection(event.target.value)} />}</Field>
    </Dialog>
  );
}
