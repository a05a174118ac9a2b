// Queues: how full they are, and what they ask, as JSON with a guideline in Markdown.
import { useState, type ReactNode } from "react";
import { ApiError, get, post, remove } from "../../api/client";
import { at, type Queue } from "../../api/review";
import type { List } from "../../api/types";
import { count, percent } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { Badge, Button, Field, IconButton } from "../../ui/controls";
import { Confirm, Dialog } from "../../ui/dialog";
import { Empty, Loaded } from "../../ui/states";
import { toast } from "../../ui/toast";

export function QueuesView(): ReactNode {
  const queues = useResource("review queues of all", (signal) => get<List<Queue>>("/v1/review/queues", signal));
  const [changing, setChanging] = useState<Queue | "new">();
  const [deleting, setDeleting] = useState<Queue>();
  const attempt = async (work: () => Promise<unknown>, said: string): Promise<void> => {
    try {
      await work();
      toast(said);
      setChanging(undefined);
      setDeleting(undefined);
      queues.reload();
    } catch (error) {
      toast((error as ApiError).message);
    }
  };
  return (
    <section className="stack" aria-label="Queues">
      <div className="section-head">
        <h2>Queues</h2>
        <span className="row nowrap">
          <Button icon="play" onClick={() => void attempt(() => post("/v1/review/run", {}), "New answers have entered")}>Fill now</Button>
          <Button icon="plus" onClick={() => setChanging("new")}>New queue</Button>
          <IconButton icon="refresh" label="Refresh" onClick={queues.reload} disabled={queues.loading} />
        </span>
      </div>
      <Loaded of={queues} what="Reading the queues">
        {({ data }) => (data.length === 0 ? <Empty icon="review" title="No queues yet">A queue fills with answers by its rule: all errors, refusals and thumbs-down, and a share of the rest.</Empty> : <Table queues={data} onChange={setChanging} onDelete={setDeleting} />)}
      </Loaded>
      {changing && <Change queue={changing === "new" ? undefined : changing} onClose={() => setChanging(undefined)} onSave={(to, body) => void attempt(() => post(to, body), "Saved")} />}
      {deleting && <Confirm title={`Delete ${deleting.name}?`} verb="Delete" onClose={() => setDeleting(undefined)} onYes={() => void attempt(() => remove(at(deleting.name)), "Deleted")}>Its items are deleted. The events of its labels stay.</Confirm>}
    </section>
  );
}

function Table({ queues, onChange, onDelete }: { queues: Queue[]; onChange: (queue: Queue) => void; onDelete: (queue: Queue) => void }): ReactNode {
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label="Queues">
      <table className="table">
        <thead><tr><th>Queue</th><th className="number">Open</th><th className="number">Disputed</th><th className="number">Done</th><th className="wide">What enters</th><th className="tools"><span className="hidden">Actions</span></th></tr></thead>
        <tbody>
          {queues.map((queue) => {
            const dropped = Object.values(queue.strata).reduce((sum, each) => sum + each.dropped, 0);
            return (
              <tr key={queue.id}>
                <td><Link to={path("review", "work", queue.name)}>{queue.definition.title || queue.name}</Link> <span className="muted small">version {queue.version}</span>{dropped > 0 && <> <Badge tone="warn">{`${count(dropped)} did not fit`}</Badge></>}</td>
                <td className="number">{count(queue.items.open)}</td>
                <td className="number">{count(queue.items.adjudicate)}</td>
                <td className="number">{count(queue.items.done)}</td>
                <td className="wide small">{[...queue.definition.rule.certain.map((each) => `every ${each}`), `${percent(queue.definition.rule.share)} of the rest`].join(", ")}{named(queue)}</td>
                <td className="nowrap"><IconButton icon="edit" label={`Change: ${queue.name}`} onClick={() => onChange(queue)} /><IconButton icon="trash" label={`Delete: ${queue.name}`} onClick={() => onDelete(queue)} /></td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function named(queue: Queue): string {
  const names = queue.definition.labelling.reviewers ?? [];
  return names.length > 0 ? `; labelled by ${names.join(", ")}` : "";
}

const START = { rule: { share: 0.05, certain: ["error", "refusal", "down"] }, labelling: { double: 0.2 } };

function Change({ queue, onClose, onSave }: { queue?: Queue; onClose: () => void; onSave: (to: string, body: unknown) => void }): ReactNode {
  const [name, setName] = useState(queue?.name ?? "");
  const [text, setText] = useState(JSON.stringify(queue?.definition ?? START, null, 2));
  const [guideline, setGuideline] = useState(queue?.guideline ?? "");
  const [wrong, setWrong] = useState("");
  const save = (): void => {
    try {
      const definition: unknown = JSON.parse(text);
      onSave(queue ? at(queue.name) : "/v1/review/queues", queue ? { definition, guideline } : { name: name.trim(), definition, guideline });
    } catch (error) {
      setWrong(`This is not JSON: ${(error as Error).message}`);
    }
  };
  return (
    <Dialog title={queue ? `Change ${queue.name}` : "A new queue"} subtitle="Each change makes a new version; labels keep theirs." wide onClose={onClose} actions={<Button kind="primary" disabled={!name.trim()} onClick={save}>Save</Button>}>
      <div className="stack">
        {!queue && <Field label="Name" hint="Small letters, digits, - and _.">{(field) => <input {...field} value={name} maxLength={64} onChange={(event) => setName(event.target.value)} />}</Field>}
        <Field label="Definition" hint="Rule, criteria, errors and labelling, as JSON; fields that are left out have their defaults." error={wrong}>{(field) => <textarea {...field} className="mono" rows={12} spellCheck={false} value={text} onChange={(event) => setText(event.target.value)} />}</Field>
        <Field label="Guideline" hint="Markdown; reviewers read it above each answer.">{(field) => <textarea {...field} rows={8} value={guideline} onChange={(event) => setGuideline(event.target.value)} />}</Field>
      </div>
    </Dialog>
  );
}
