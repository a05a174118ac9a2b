// The cases: filters, how many wait, and the next one to take.
import { useEffect, useState, type ReactNode } from "react";
import { ApiError, get, post } from "../../api/client";
import type { Case, Queue } from "../../api/desk";
import type { List } from "../../api/types";
import { useResource } from "../../lib/resource";
import { go, Link, path, usePlace } from "../../lib/route";
import { Button, Choice } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";
import { toast } from "../../ui/toast";
import { useFollowed } from "./following";
import { Me } from "./me";
import { CaseState, Due, Priority } from "./state";

type Which = "all" | "mine" | "late" | "closed";

const WHICH: { value: Which; label: string }[] = [
  { value: "all", label: "Open" },
  { value: "mine", label: "Mine" },
  { value: "late", label: "Late" },
  { value: "closed", label: "Closed" },
];
const EVERY_MS = 15_000;

export function CaseList({ open }: { open: string | undefined }): ReactNode {
  const { query } = usePlace();
  const which = WHICH.find((each) => each.value === query.get("which"))?.value ?? "all";
  const queue = query.get("queue") ?? "";
  const [words, setWords] = useState("");
  const queues = useFollowed<List<Queue>>("/v1/desk/events");
  const url = `/v1/desk/cases?${asked(which, queue, words)}`;
  const cases = useResource(url, (signal) => get<List<Case>>(url, signal));
  // The stream says that something has changed, not what; and what is due grows late by itself.
  useEffect(cases.reload, [queues.data, cases.reload]);
  useEffect(() => {
    const timer = setInterval(() => document.hidden || cases.reload(), EVERY_MS);
    return () => clearInterval(timer);
  }, [cases.reload]);
  const found = cases.data?.data ?? [];
  useKeys(found, open);
  const filter = (by: { which?: string; queue?: string }): void => {
    const chosen = new URLSearchParams(Object.entries({ which, queue, ...by }).filter(([, value]) => value && value !== "all"));
    go(`${open ? path("desk", open) : path("desk")}${chosen.size > 0 ? `?${chosen}` : ""}`, true);
  };
  const take = async (): Promise<void> => {
    try {
      const next = await post<{ case: Case | null }>("/v1/desk/next", queue ? { queues: [queue] } : {});
      if (next.case === null) toast("No case waits");
      else go(path("desk", next.case.number));
    } catch (error) {
      toast(error instanceof ApiError ? error.message : "This did not work");
    }
  };
  return (
    <section className="desk-list" aria-label="Cases">
      <header className="desk-list-head">
        <div className="between">
          <p className="desk-title">Support desk</p>
          <Me queues={(queues.data?.data ?? []).map((each) => each.id)} />
        </div>
        <Counters queues={queues.data?.data ?? []} chosen={queue} onChoose={(id) => filter({ queue: id === queue ? "" : id })} />
        <Choice label="Which" value={which} options={WHICH} onChange={(value) => filter({ which: value })} />
        <div className="row desk-find">
          <input type="search" aria-label="Find a case" placeholder="Number or words" value={words} onChange={(event) => setWords(event.target.value)} />
          <Button kind="primary" onClick={() => void take()}>Take next</Button>
        </div>
      </header>
      <Loaded of={cases} what="Reading the cases">
        {({ data }) =>
          data.length === 0 ? (
            <Empty icon="check" title={which === "all" && !words ? "Nobody waits" : "There are no such cases"}>
              {which === "all" && !words ? "Cases that agents and customers open appear here." : undefined}
            </Empty>
          ) : (
            <ul className="cases">{data.map((each) => <Row key={each.id} of={each} current={each.number === open} />)}</ul>
          )
        }
      </Loaded>
    </section>
  );
}

function Row({ of, current }: { of: Case; current: boolean }): ReactNode {
  return (
    <li>
      <Link to={path("desk", of.number) + location.search} aria-current={current ? "page" : undefined} className={of.late ? "late" : undefined}>
        <span className="between">
          <span className="row"><strong className="small">{of.number}</strong><CaseState status={of.status} /><Priority of={of.priority} /></span>
          <Due of={of} />
        </span>
        <span className="case-subject">{of.subject}</span>
        <span className="muted small case-about">{[of.queue, of.channel, of.customer, of.assignee && (of.assignee.name || "taken")].filter(Boolean).join(" · ")}</span>
      </Link>
    </li>
  );
}

function Counters({ queues, chosen, onChoose }: { queues: Queue[]; chosen: string; onChoose: (id: string) => void }): ReactNode {
  const busy = queues.filter((each) => each.open + each.taken + each.waiting > 0 || each.id === chosen);
  if (busy.length === 0) return null;
  return (
    <div className="queues" role="group" aria-label="Queues">
      {busy.map((each) => (
        <button key={each.id} type="button" aria-pressed={each.id === chosen} onClick={() => onChoose(each.id)} title={`${each.open} wait, ${each.taken} taken, ${each.waiting} answered`}>
          {each.id} <b>{each.open}</b>
          {each.late > 0 && <span className="bad"> {each.late} late</span>}
        </button>
      ))}
    </div>
  );
}

function asked(which: Which, queue: string, words: string): URLSearchParams {
  const found = new URLSearchParams({ limit: "50" });
  for (const status of which === "closed" ? ["closed"] : ["open", "taken", "waiting"]) found.append("status", status);
  if (which === "mine" || which === "late") found.set(which, "true");
  if (queue) found.set("queue", queue);
  if (words.trim()) found.set("q", words.trim());
  return found;
}

// `j` and `k` go to the next and the previous case.
function useKeys(cases: Case[], open: string | undefined): void {
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || (event.target instanceof Element && event.target.closest("input, textarea, select, dialog"))) return;
      if (event.key !== "j" && event.key !== "k") return;
      const at = cases.findIndex((each) => each.number === open);
      const next = cases[event.key === "j" ? at + 1 : at - 1];
      if (next) go(path("desk", next.number) + location.search);
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [cases, open]);
}
