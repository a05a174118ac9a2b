// What people said of answers: thumbs over time, better answers and comments, each with its trace.
import { useMemo, useState, type ReactNode } from "react";
import { get } from "../../api/client";
import type { EventRecord, List } from "../../api/types";
import { recorded, slots, type Recorded } from "../../lib/events";
import { count, moment, share } from "../../lib/format";
import { Markdown } from "../../lib/markdown";
import { answerOf } from "../../lib/recorded";
import { cutOf, PERIODS, slotName, type Period } from "../../lib/period";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { Stacked, type Series } from "../../ui/chart";
import { Badge, Button, Choice, IconButton } from "../../ui/controls";
import { Icon } from "../../ui/icon";
import { Empty, Loaded, Note } from "../../ui/states";

type Which = "all" | "down" | "words";

const SERIES: Series[] = [
  { name: "up", title: "thumbs up", tone: "good" },
  { name: "down", title: "thumbs down", tone: "bad" },
  { name: "words", title: "in words alone", tone: "accent" },
];

function kindOf(event: EventRecord): string {
  return typeof event.facts.rating === "string" ? event.facts.rating : "words";
}

// The latest comes first: a thumb that was changed later, by the same key on the same answer, is counted no more.
export function standing(events: EventRecord[]): EventRecord[] {
  const rated = new Set<string>();
  return events.filter((event) => {
    if (typeof event.facts.rating !== "string") return true;
    const whose = `${event.subject} ${String(event.facts.key_id ?? "")}`;
    if (rated.has(whose)) return false;
    rated.add(whose);
    return true;
  });
}

export function FeedbackView(): ReactNode {
  const [period, setPeriod] = useState<Period>("7d");
  const now = useMemo(() => Date.now() / 1000, [period]);
  const cut = cutOf(period, now);
  const found = useResource(`feedback ${cut.since}`, (signal) => recorded("feedback", cut.since, signal));
  return (
    <section className="stack" aria-label="Feedback">
      <div className="section-head">
        <Choice label="Period" value={period} onChange={setPeriod} options={PERIODS} />
        <IconButton icon="refresh" label="Refresh" onClick={found.reload} disabled={found.loading} />
      </div>
      <Loaded of={found} what="Reading the feedback">{(read) => <Given read={read} cut={cut} />}</Loaded>
    </section>
  );
}

function Given({ read, cut }: { read: Recorded; cut: ReturnType<typeof cutOf> }): ReactNode {
  const [which, setWhich] = useState<Which>("all");
  const [many, setMany] = useState(20);
  const all = standing(read.events);
  if (all.length === 0) {
    return <Empty icon="up" title="No feedback in this time">Thumbs and better answers given in the <Link to={path("chat")}>chat</Link> or through the API appear here.</Empty>;
  }
  const of = (kind: string): number => all.filter((event) => kindOf(event) === kind).length;
  const [up, down] = [of("up"), of("down")];
  const edited = all.filter((event) => event.facts.edited === true).length;
  const consented = all.filter((event) => event.consent).length;
  const shown = all.filter((event) => which === "all" || (which === "down" ? kindOf(event) === "down" : event.content !== null || Boolean(event.facts.comment)));
  return (
    <>
      {read.cut && <Note tone="warn">Only the latest {count(all.length)} pieces of feedback of this period are counted here.</Note>}
      <dl className="figures large">
        <div><dt>Thumbs up</dt><dd>{share(up, up + down)}<small>{count(up)} of {count(up + down)} ratings</small></dd></div>
        <div><dt>Thumbs down</dt><dd>{count(down)}<small>{share(down, up + down)} of ratings</small></dd></div>
        <div><dt>Better answers</dt><dd>{count(edited)}<small>written by people</small></dd></div>
        <div><dt>May train models</dt><dd>{count(consented)}<small>given with consent</small></dd></div>
      </dl>
      <section className="card stack" aria-label="Feedback over time">
        <h2>Feedback over time</h2>
        <Stacked
          label="Feedback over time"
          slots={slots(all, cut, (event) => event.created_at, (event) => [kindOf(event), 1]).map((slot) => ({ name: slotName(slot.at, cut.width), counts: slot.counts }))}
          series={SERIES}
        />
      </section>
      <div className="section-head">
        <h2>What was said</h2>
        <Choice label="Which" value={which} onChange={setWhich} options={[{ value: "all", label: "All" }, { value: "down", label: "Thumbs down" }, { value: "words", label: "In words" }]} />
      </div>
      {shown.length === 0 && <p className="muted">There is none of this kind in this period.</p>}
      <ul className="stack">
        {shown.slice(0, many).map((event) => <Said key={event.id} event={event} />)}
      </ul>
      {shown.length > many && <div className="row centre"><Button onClick={() => setMany(many + 50)}>More feedback</Button></div>}
    </>
  );
}

function Said({ event }: { event: EventRecord }): ReactNode {
  const [open, setOpen] = useState(false);
  const kind = kindOf(event);
  const comment = typeof event.facts.comment === "string" ? event.facts.comment : "";
  return (
    <li className="card said-card">
      <div className="row">
        {kind === "words" ? <Badge tone="accent">in words</Badge> : <Badge tone={kind === "up" ? "good" : "bad"}><Icon name={kind === "up" ? "up" : "down"} size={12} /> {kind === "up" ? "good" : "bad"}</Badge>}
        <span className="muted small">{moment(event.created_at)}</span>
        {event.consent && <Badge>may train</Badge>}
        <span className="row push">
          <Button kind="quiet" aria-expanded={open} onClick={() => setOpen(!open)}>{open ? "Hide the answer" : "Show the answer"}</Button>
          {event.trace_id && <Link to={path("traces", event.trace_id)}>Trace</Link>}
        </span>
      </div>
      {comment && <p>“{comment}”</p>}
      {event.content !== null && (
        <div>
          <p className="muted small">As it should have been:</p>
          <div className="prose said"><Markdown text={event.content} /></div>
        </div>
      )}
      {open && <AnswerOf event={event} />}
    </li>
  );
}

function AnswerOf({ event }: { event: EventRecord }): ReactNode {
  const url = `/v1/events?kind=answer&limit=1&answer_id=${encodeURIComponent(event.subject)}`;
  const answer = useResource(url, (signal) => get<List<EventRecord>>(url, signal));
  return (
    <Loaded of={answer} what="Reading the answer">
      {(found) => {
        const answer = found.data[0] && answerOf(found.data[0]);
        if (!answer) return <p className="muted">The answer's text is no longer kept.</p>;
        return <div className="prose said quoted"><Markdown text={answer.text} /></div>;
      }}
    </Loaded>
  );
}
