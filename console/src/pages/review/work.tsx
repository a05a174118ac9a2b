// One answer after the other: read it, label it, next. Everything can be done with the keyboard.
import { useEffect, useState, type ReactNode } from "react";
import { ApiError, post } from "../../api/client";
import { at, type Label, type Queue, type Task } from "../../api/review";
import { Markdown } from "../../lib/markdown";
import { Badge, Button } from "../../ui/controls";
import { Empty, Failed, Loading } from "../../ui/states";
import { toast } from "../../ui/toast";
import { OfQueue } from "./choose";
import { LabelForm, type Said } from "./form";

export function WorkView(): ReactNode {
  return <OfQueue view="work" label="Label">{(queue) => <Work key={queue.id} queue={queue} />}</OfQueue>;
}

function Work({ queue }: { queue: Queue }): ReactNode {
  const [task, setTask] = useState<Task | null>();
  const [error, setError] = useState<ApiError>();
  const [done, setDone] = useState(0);
  const [begun, setBegun] = useState(0);
  const next = async (): Promise<void> => {
    setError(undefined);
    try {
      setTask((await post<{ task: Task | null }>(`${at(queue.name)}/next`, {})).task);
      setBegun(performance.now());
    } catch (failure) {
      setError(failure as ApiError);
    }
  };
  useEffect(() => void next(), [queue.id]);
  const act = async (what: string, body: unknown): Promise<boolean> => {
    try {
      await post(`${at(queue.name)}/items/${encodeURIComponent(task!.item_id)}/${what}`, body);
    } catch (failure) {
      const refused = failure as ApiError;
      toast(refused.message);
      // Another person has it, or its text is gone.
      if (refused.status !== 404 && refused.status !== 409) return false;
    }
    await next();
    return true;
  };
  const submit = async (said: Said): Promise<void> => {
    const seconds = Math.min(86_400, (performance.now() - begun) / 1000);
    if (await act("label", { ...said, seconds: Number(seconds.toFixed(1)) })) setDone((count) => count + 1);
  };
  if (error) return <Failed error={error} again={() => void next()} />;
  if (task === undefined) return <Loading what="Taking the next answer" />;
  if (task === null) {
    return <Empty icon="check" title="Nothing waits for you" action={<Button icon="refresh" onClick={() => void next()}>Look again</Button>}>{done > 0 ? `You have labelled ${done} in a row.` : "New answers enter by the rule of this queue."}</Empty>;
  }
  return (
    <>
      {queue.guideline && <details className="card review-guideline"><summary>Guideline, version {queue.version}</summary><div className="prose"><Markdown text={queue.guideline} /></div></details>}
      <div className="review">
        <Shown task={task} />
        <LabelForm key={task.item_id} definition={queue.definition} task={task} done={done} onSubmit={submit} onLeave={(what) => act(what, {})} />
      </div>
    </>
  );
}

function Shown({ task }: { task: Task }): ReactNode {
  const before = task.messages.slice(0, -1);
  return (
    <article className="stack" aria-label="The answer">
      <section className="card stack" aria-label="Question">
        <div className="between"><h2>Question</h2><Badge>{task.application}</Badge></div>
        {before.length > 0 && (
          <details><summary>{`${before.length} earlier messages`}</summary><ul className="stack">{before.map((each, place) => <li key={place}><b>{each.role}</b> {each.content}</li>)}</ul></details>
        )}
        <p className="breaking">{task.question}</p>
      </section>
      <section className="card stack" aria-label="Answer">
        <h2>Answer</h2>
        <div className="prose breaking"><Markdown text={task.answer || "(no text)"} /></div>
        {task.citations.length > 0 && (
          <ol className="quotes" aria-label="Citations">{task.citations.map((each, place) => <li key={place}><q>{each.quote}</q> <span className="muted small">{each.source}</span></li>)}</ol>
        )}
      </section>
      {task.earlier.length > 0 && (
        <section className="card stack" aria-label="Earlier labels">
          <h2>You decide between these</h2>
          {task.earlier.map((each) => <Earlier key={each.id} label={each} />)}
        </section>
      )}
      {task.passages.length > 0 && (
        <section className="card stack" aria-label="Passages">
          <h2>Passages</h2>
          <ol className="review-passages">{task.passages.map((text, place) => <li key={place} className="breaking">{text}</li>)}</ol>
        </section>
      )}
    </article>
  );
}

function Earlier({ label }: { label: Label }): ReactNode {
  const scores = Object.entries(label.scores).map(([name, score]) => `${name} ${score}`);
  return (
    <div className="quoted stack">
      <p className="row wraps"><b>{label.by}</b><Badge tone={label.approved ? "good" : "bad"}>{label.approved ? "approved" : "rejected"}</Badge>{label.errors.map((each) => <Badge key={each} tone="warn">{each}</Badge>)}<span className="muted small">{scores.join(", ")}</span></p>
      {label.comment && <p className="breaking">{label.comment}</p>}
      {label.edit && <p className="breaking"><b>Edit:</b> {label.edit}</p>}
    </div>
  );
}
