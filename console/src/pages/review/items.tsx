// The answers of a queue: where each is, who has a place in it, and whom it is assigned to.
import { useState, type FormEvent, type ReactNode } from "react";
import { ApiError, get, post } from "../../api/client";
import { at, type Item, type ItemPlace, type Queue } from "../../api/review";
import type { List } from "../../api/types";
import { moment } from "../../lib/format";
import { useKeyNames } from "../../lib/keys";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { Badge, Button, Field, IconButton } from "../../ui/controls";
import { Dialog } from "../../ui/dialog";
import { Empty, Loaded } from "../../ui/states";
import { toast } from "../../ui/toast";
import { OfQueue } from "./choose";

const STATES = ["open", "adjudicate", "done"] as const;
const WORDS: Record<Item["state"], string> = { open: "open", adjudicate: "disputed", done: "done" };
const TONES = { open: "plain", adjudicate: "warn", done: "good" } as const;

export function ItemsView(): ReactNode {
  return <OfQueue view="items" label="Items">{(queue) => <Items key={queue.id} queue={queue} />}</OfQueue>;
}

function Items({ queue }: { queue: Queue }): ReactNode {
  const [state, setState] = useState("");
  const [after, setAfter] = useState("");
  const [assigning, setAssigning] = useState<Item>();
  const names = useKeyNames();
  const url = `${at(queue.name)}/items?${new URLSearchParams({ limit: "50", ...(state && { state }), ...(after && { after }) })}`;
  const items = useResource(url, (signal) => get<List<Item>>(url, signal));
  const change = async (item: Item, what: "assign" | "unassign", body: object, said: string): Promise<void> => {
    try {
      await post(`${at(queue.name)}/items/${encodeURIComponent(item.id)}/${what}`, body);
      toast(said);
      setAssigning(undefined);
      items.reload();
    } catch (error) {
      toast((error as ApiError).message);
    }
  };
  const chosen = (event: { target: { value: string } }): void => {
    setState(event.target.value);
    setAfter("");
  };
  return (
    <>
      <div className="between">
        <label className="inline">State <select value={state} onChange={chosen}><option value="">all</option>{STATES.map((each) => <option key={each} value={each}>{WORDS[each]}</option>)}</select></label>
        <IconButton icon="refresh" label="Refresh" onClick={items.reload} disabled={items.loading} />
      </div>
      <Loaded of={items} what="Reading the answers">
        {(found) => found.data.length === 0 ? <Empty icon="review" title="There are no such answers">New answers enter by the rule of this queue.</Empty> : (
          <>
            <div className="scroll" tabIndex={0} role="group" aria-label="Items">
              <table className="table">
                <thead><tr><th>Answer</th><th>Application</th><th>Entered as</th><th>State</th><th className="number">Labels</th><th className="wide">Reviewers</th><th>Since</th><th className="tools"><span className="hidden">Actions</span></th></tr></thead>
                <tbody>
                  {found.data.map((item) => (
                    <tr key={item.id}>
                      <td><Link to={path("traces", item.trace_id)} className="mono" title={item.answer_id}>{`${item.answer_id.slice(0, 12)}…`}</Link></td>
                      <td className="nowrap">{item.application}</td>
                      <td>{item.stratum}</td>
                      <td><Badge tone={TONES[item.state]}>{WORDS[item.state]}</Badge></td>
                      <td className="number nowrap">{`${item.given} of ${item.needs}`}</td>
                      <td className="wide"><PlacesOf item={item} names={names} onRemove={(place) => void change(item, "unassign", { to: place.by }, "It is assigned to this person no more")} /></td>
                      <td className="nowrap">{moment(item.created_at)}</td>
                      <td>{item.places !== undefined && item.state !== "done" && <IconButton icon="plus" label={`Assign ${item.answer_id}`} onClick={() => setAssigning(item)} />}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
            <div className="row">
              {after && <Button onClick={() => setAfter("")}>First</Button>}
              {found.has_more && found.last_id && <Button onClick={() => setAfter(found.last_id!)}>More</Button>}
            </div>
          </>
        )}
      </Loaded>
      {assigning && <Assign queue={queue} item={assigning} names={names} onClose={() => setAssigning(undefined)} onAssign={(to, hours) => change(assigning, "assign", { to, hours }, "Assigned")} />}
    </>
  );
}

function PlacesOf({ item, names, onRemove }: { item: Item; names: ReadonlyMap<string, string>; onRemove: (place: ItemPlace) => void }): ReactNode {
  return (
    <span className="row wraps">
      {(item.places ?? []).map((place) => {
        const until = place.until === null || place.state === "given" ? "" : ` until ${moment(place.until)}`;
        return (
          <span key={place.by} className="row nowrap">
            <Badge tone={place.overdue ? "bad" : place.state === "given" ? "good" : "plain"}>{`${names.get(place.by) ?? place.by}: ${place.overdue ? "overdue" : place.state}${until}`}</Badge>
            {place.state === "assigned" && <IconButton icon="close" size={13} label={`Take ${item.answer_id} from ${names.get(place.by) ?? place.by}`} onClick={() => onRemove(place)} />}
          </span>
        );
      })}
    </span>
  );
}

function Assign({ queue, item, names, onClose, onAssign }: { queue: Queue; item: Item; names: ReadonlyMap<string, string>; onClose: () => void; onAssign: (to: string, hours: number) => Promise<void> }): ReactNode {
  const reviewers = queue.definition.labelling.reviewers ?? [];
  const [to, setTo] = useState(reviewers[0] ?? "");
  const [hours, setHours] = useState("24");
  const [busy, setBusy] = useState(false);
  const ready = to.trim() !== "" && Number(hours) > 0 && !busy;
  const send = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (!ready) return;
    setBusy(true);
    await onAssign(to.trim(), Number(hours));
    setBusy(false);
  };
  return (
    <Dialog title="Assign an answer" subtitle={item.answer_id} onClose={onClose}>
      <form className="stack" onSubmit={(event) => void send(event)}>
        <Field label="Reviewer" hint={reviewers.length > 0 ? "The queue names who may label." : "The id of a key that may review."}>
          {(field) => reviewers.length > 0 ? (
            <select {...field} value={to} onChange={(event) => setTo(event.target.value)}>{reviewers.map((each) => <option key={each} value={each}>{names.get(each) ?? each}</option>)}</select>
          ) : (
            <input {...field} value={to} maxLength={128} onChange={(event) => setTo(event.target.value)} placeholder="key_..." />
          )}
        </Field>
        <Field label="Hours" hint="Then the place is free for others.">{(field) => <input {...field} type="number" min={1} max={8760} value={hours} onChange={(event) => setHours(event.target.value)} />}</Field>
        <div className="row"><Button type="submit" kind="primary" disabled={!ready}>Assign</Button></div>
      </form>
    </Dialog>
  );
}
