// A battle: two blind answers side by side, a vote by button or key, and then the names.
import { useEffect, useRef, useState, type ReactNode } from "react";
import { battle, of, type Arena, type Battle, type Side, type Told, type Winner } from "../../api/arena";
import { ApiError, post } from "../../api/client";
import { Badge, Button, Field } from "../../ui/controls";
import { Note } from "../../ui/states";

const VOTES: { winner: Winner; key: string; title: string }[] = [
  { winner: "left", key: "1", title: "Left is better" },
  { winner: "tie", key: "2", title: "Equally good" },
  { winner: "neither", key: "3", title: "Neither is good" },
  { winner: "right", key: "4", title: "Right is better" },
];
const TYPING = "input, textarea, select, [contenteditable]";
const NOTHING = { left: "", right: "" };

export function VoteView({ arena }: { arena: Arena }): ReactNode {
  const [question, setQuestion] = useState("");
  const [category, setCategory] = useState("");
  const [said, setSaid] = useState<Record<Side, string>>(NOTHING);
  const [shown, setShown] = useState<Battle>();
  const [told, setTold] = useState<Told>();
  const [asking, setAsking] = useState(false);
  const [error, setError] = useState<ApiError>();
  const stopping = useRef<AbortController>(undefined);
  // The battle whose vote is on its way: a key that is pressed twice votes once.
  const voting = useRef("");
  useEffect(() => () => stopping.current?.abort(), []);

  const failed = (found: unknown): void => {
    if (found instanceof ApiError) setError(found);
    else if (!(found instanceof DOMException)) throw found;
  };
  const begin = async (body: { question?: string }): Promise<void> => {
    stopping.current = new AbortController();
    setAsking(true);
    setSaid(NOTHING);
    setShown(undefined);
    setTold(undefined);
    setError(undefined);
    try {
      const add = (side: Side, delta: string): void => setSaid((old) => ({ ...old, [side]: old[side] + delta }));
      setShown(await battle(arena.id, { ...body, category }, add, stopping.current.signal));
    } catch (found) {
      failed(found);
    }
    setAsking(false);
  };
  const vote = async (winner: Winner): Promise<void> => {
    if (!shown?.open || told || voting.current === shown.id) return;
    voting.current = shown.id;
    setError(undefined);
    try {
      setTold(await post<Told>(of(arena.id, "battles", shown.id, "votes"), { winner }));
    } catch (found) {
      voting.current = "";
      failed(found);
    }
  };
  const latest = useRef(vote);
  latest.current = vote;
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || (event.target instanceof Element && event.target.closest(TYPING))) return;
      const found = VOTES.find((each) => each.key === event.key);
      if (found) void latest.current(found.winner);
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);

  return (
    <section className="stack" aria-label="Vote">
      <form className="card stack" onSubmit={(event) => {
        event.preventDefault();
        if (question.trim()) void begin({ question });
      }}>
        <Field label="Your question">
          {(ids) => <textarea {...ids} rows={2} value={question} maxLength={100_000} onChange={(event) => setQuestion(event.target.value)} />}
        </Field>
        <div className="row wraps">
          {arena.categories.length > 0 && (
            <select className="short" aria-label="Category" value={category} onChange={(event) => setCategory(event.target.value)}>
              <option value="">No category</option>
              {arena.categories.map((each) => <option key={each}>{each}</option>)}
            </select>
          )}
          <Button type="submit" kind="primary" icon="play" disabled={asking || !question.trim()}>Ask both</Button>
          {arena.recorded && <Button icon="refresh" disabled={asking} onClick={() => void begin({})}>A recorded question</Button>}
        </div>
      </form>
      {error && <Note tone="bad">{error.message}</Note>}
      {(asking || shown) && (
        <>
          {shown && <h2 className="breaking">{shown.question}</h2>}
          <div className="two" aria-busy={asking}>
            <Answer side="left" text={shown?.left.text ?? said.left} error={shown?.left.error?.message} told={told} writing={asking} />
            <Answer side="right" text={shown?.right.text ?? said.right} error={shown?.right.error?.message} told={told} writing={asking} />
          </div>
        </>
      )}
      {shown && !shown.open && <Note tone="warn">One of the models did not answer: there is nothing to vote on.</Note>}
      {shown?.open && !told && (
        <div className="row wraps" role="group" aria-label="Which answer is better?">
          {VOTES.map(({ winner, key, title }) => (
            <Button key={winner} onClick={() => void vote(winner)} aria-keyshortcuts={key}>{title} <kbd>{key}</kbd></Button>
          ))}
        </div>
      )}
      <div role="status">{told && <Note tone="good">{`Counted. Left was ${told.left.model}, right was ${told.right.model}.`}</Note>}</div>
    </section>
  );
}

function Answer({ side, text, error, told, writing }: { side: Side; text: string; error?: string; told?: Told; writing: boolean }): ReactNode {
  const title = side === "left" ? "Left" : "Right";
  return (
    <article className="card stack" aria-label={`${title} answer`}>
      <div className="between">
        <h3>{told ? told[side].model : title}</h3>
        {told?.winner === side && <Badge tone="good">your choice</Badge>}
      </div>
      {error ? <Note tone="bad">{error}</Note> : <p className="breaking verbatim">{text || (writing ? "…" : "")}</p>}
    </article>
  );
}
