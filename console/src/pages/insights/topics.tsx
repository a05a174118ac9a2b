// Topics with their share, mood, outcomes and trend; renaming, pinning and merging them.
import { useState, type ReactNode } from "react";
import { ApiError, get, post } from "../../api/client";
import type { Group, Summary, Topic, Topics } from "../../api/insights";
import { count, percent, plural, share } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { Line, Shares, Stacked } from "../../ui/chart";
import { Badge, Button, Choice, Field, IconButton } from "../../ui/controls";
import { Dialog } from "../../ui/dialog";
import { Empty, Loaded } from "../../ui/states";
import { toast } from "../../ui/toast";
import { dayName, Mood, NO_TOPIC, OUTCOMES, over, PERIODS, signed, spikes, type Days } from "./said";

export function TopicsView(): ReactNode {
  const [days, setDays] = useState<Days>("30");
  const [application, setApplication] = useState("");
  const [running, setRunning] = useState(false);
  const asked = new URLSearchParams({ days, ...(application && { application }) });
  const topics = useResource(`topics ${asked}`, (signal) => get<Topics>(`/v1/insights/topics?${asked}`, signal));
  const summary = useResource(`summary ${asked}`, (signal) => get<Summary>(`/v1/insights/summary?${asked}`, signal));
  const reload = (): void => {
    topics.reload();
    summary.reload();
  };
  const look = async (): Promise<void> => {
    setRunning(true);
    try {
      const did = await post<{ started: boolean; turns?: number; topics?: number }>("/v1/insights/run", {});
      toast(did.started ? `${plural(did.turns!, "new turn")}, ${plural(did.topics!, "new topic")}` : "Another process is already analysing them");
    } catch (error) {
      toast((error as ApiError).message);
    }
    setRunning(false);
    reload();
  };
  return (
    <section className="stack" aria-label="Topics">
      <div className="section-head">
        <Choice label="Period" value={days} onChange={setDays} options={[...PERIODS]} />
        <span className="row nowrap">
          <select aria-label="Application" value={application} onChange={(event) => setApplication(event.target.value)}>
            <option value="">All applications</option>
            {(summary.data?.applications ?? []).map((name) => <option key={name}>{name}</option>)}
          </select>
          <Button icon="play" disabled={running} onClick={() => void look()}>Look now</Button>
          <IconButton icon="refresh" label="Refresh" onClick={reload} disabled={topics.loading} />
        </span>
      </div>
      <Loaded of={summary} what="Counting conversations">{(all) => <Total all={all} />}</Loaded>
      <Loaded of={topics} what="Reading the topics">{(found) => <Table found={found} onChange={reload} />}</Loaded>
    </section>
  );
}

function Total({ all }: { all: Summary }): ReactNode {
  if (all.conversations === 0) return <Empty icon="insights" title="No conversations in this time">New ones are analysed every few minutes, or immediately with Look now.</Empty>;
  const unusual = spikes(all.trend);
  return (
    <>
      <dl className="figures large">
        <div><dt>Conversations</dt><dd>{count(all.conversations)}<small>{plural(all.outcomes.open, "is", "are")} going on</small></dd></div>
        <div><dt>Resolved</dt><dd>{share(all.outcomes.resolved, over(all))}<small>{count(all.outcomes.resolved)} of {count(over(all))} that have ended</small></dd></div>
        <div><dt>To people</dt><dd>{share(all.outcomes.escalated, over(all))}<small>{count(all.outcomes.escalated)}</small></dd></div>
        <div><dt>No answer</dt><dd>{share(all.outcomes.refused, over(all))}<small>{count(all.outcomes.refused)}</small></dd></div>
        <div><dt>Sentiment</dt><dd>{signed(all.sentiment)}<small>{signed(all.sentiment_course)} from first to last turn</small></dd></div>
      </dl>
      <section className="card stack" aria-label="Conversations over time">
        <div className="between"><h2>Conversations over time</h2>{unusual.length > 0 && <Badge tone="warn">{`unusually many: ${unusual.join(", ")}`}</Badge>}</div>
        <Stacked
          label="Conversations over time"
          series={[{ name: "count", title: "conversations", tone: "accent" }]}
          slots={all.trend.map((point) => ({ name: dayName(point.day), counts: new Map([["count", point.count]]) }))}
        />
        <Shares title="Outcomes" rows={OUTCOMES.map((each): [string, number] => [each.title, all.outcomes[each.name as keyof Group["outcomes"]]])} />
      </section>
    </>
  );
}

function Table({ found, onChange }: { found: Topics; onChange: () => void }): ReactNode {
  const [changing, setChanging] = useState<Topic>();
  const rows: (Topic | (Group & { name: string; id: string }))[] = [...found.data];
  if (found.other.conversations > 0) rows.push({ ...found.other, name: NO_TOPIC, id: "other" });
  if (rows.length === 0) return null;
  return (
    <>
      <div className="scroll" tabIndex={0} role="group" aria-label="Topics">
        <table className="table">
          <thead><tr><th>Topic</th><th className="number">Conversations</th><th className="number">Share</th><th className="number">Resolved</th><th>Mood</th><th className="wide">Trend</th><th className="tools"><span className="hidden">Actions</span></th></tr></thead>
          <tbody>
            {rows.map((topic) => (
              <tr key={topic.id}>
                <td>
                  <Link to={`${path("insights", "conversations")}?topic=${encodeURIComponent(topic.id)}`}>{topic.name}</Link>
                  {"pinned" in topic && topic.pinned && <> <Badge>pinned</Badge></>}
                  {spikes(topic.trend).length > 0 && <> <Badge tone="warn">{`spike ${spikes(topic.trend).at(-1)}`}</Badge></>}
                </td>
                <td className="number">{count(topic.conversations)}</td>
                <td className="number">{percent(topic.share)}</td>
                <td className="number">{topic.resolved === null ? "–" : percent(topic.resolved)}</td>
                <td><Mood value={topic.sentiment} /></td>
                <td className="wide over-time"><Line label={topic.name} values={topic.trend.map((point) => point.count)} format={count} /></td>
                <td className="nowrap">{"pinned" in topic && <IconButton icon="edit" label={`Change: ${topic.name}`} onClick={() => setChanging(topic)} />}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {changing && <Change topic={changing} others={found.data.filter((each) => each.id !== changing.id)} onClose={() => setChanging(undefined)} onDone={() => {
        setChanging(undefined);
        onChange();
      }} />}
    </>
  );
}

function Change({ topic, others, onClose, onDone }: { topic: Topic; others: Topic[]; onClose: () => void; onDone: () => void }): ReactNode {
  const [name, setName] = useState(topic.name);
  const [pinned, setPinned] = useState(topic.pinned);
  const [into, setInto] = useState("");
  const save = async (): Promise<void> => {
    try {
      await post(`/v1/insights/topics/${encodeURIComponent(topic.id)}`, into ? { merge_into: into } : { name: name.trim(), pinned });
      toast(into ? "Merged" : "Changed");
      onDone();
    } catch (error) {
      toast((error as ApiError).message);
    }
  };
  return (
    <Dialog title="Change a topic" subtitle={topic.words.join(", ")} onClose={onClose} actions={<Button kind="primary" disabled={!into && !name.trim()} onClick={() => void save()}>{into ? "Merge" : "Save"}</Button>}>
      <div className="stack">
        <Field label="Name">{(field) => <input {...field} value={name} maxLength={80} disabled={Boolean(into)} onChange={(event) => setName(event.target.value)} />}</Field>
        <label className="row"><input type="checkbox" checked={pinned} disabled={Boolean(into)} onChange={(event) => setPinned(event.target.checked)} />Pinned: it stays when nobody talks about it</label>
        <Field label="Merge into" hint="The other topic takes its conversations, and those that come later.">
          {(field) => (
            <select {...field} value={into} onChange={(event) => setInto(event.target.value)}>
              <option value="">–</option>
              {others.map((each) => <option key={each.id} value={each.id}>{each.name}</option>)}
            </select>
          )}
        </Field>
      </div>
    </Dialog>
  );
}
