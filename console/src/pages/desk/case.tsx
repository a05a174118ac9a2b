// A case: who waits for what, the conversation as it goes on, an answer, and what helps to write it.
import { useRef, useState, type ReactNode } from "react";
import { ApiError, get } from "../../api/client";
import { act, caseUrl, type CaseView as View, type Person, type Suggestion } from "../../api/desk";
import { moment } from "../../lib/format";
import { go, Link, path } from "../../lib/route";
import { useResource } from "../../lib/resource";
import { Button } from "../../ui/controls";
import { Icon } from "../../ui/icon";
import { Failed, Loading, Note } from "../../ui/states";
import { toast } from "../../ui/toast";
import { Assist } from "./assist";
import { Closing } from "./closing";
import { Conversation } from "./conversation";
import { useFollowed } from "./following";
import { Reply, type Draft } from "./reply";
import { CaseState, Due, Priority } from "./state";

const NOTHING: Draft = { text: "", suggestion: "" };

export function CaseView({ number }: { number: string }): ReactNode {
  const followed = useFollowed<View>(`${caseUrl(number)}/events`);
  const [draft, setDraft] = useState<Draft>(NOTHING);
  const me = useResource("/v1/desk/people/me", (signal) => get<Person>("/v1/desk/people/me", signal)).data?.id;
  const input = useRef<HTMLTextAreaElement>(null);
  if (!followed.data) {
    return <div className="desk-main desk-nothing">{followed.error ? <Failed error={followed.error} /> : <Loading what="Reading the case" />}</div>;
  }
  const found = followed.data;
  const use = (chosen: Suggestion): void => {
    setDraft({ text: chosen.text, suggestion: chosen.id });
    input.current?.focus();
  };
  return (
    <>
      <section className="desk-main" aria-label={`Case ${found.number}`}>
        <Head of={found} me={me} />
        {followed.error && <div className="pad"><Note tone="bad">{followed.error.message}</Note></div>}
        <Conversation of={found} />
        <Reply of={found} me={me} draft={draft} onDraft={setDraft} onSent={() => setDraft(NOTHING)} input={input} suggestions={open(found)} onUse={use} />
      </section>
      <Assist of={found} onUse={use} />
    </>
  );
}

export function open(found: View): Suggestion[] {
  return (found.assist?.suggestions ?? []).filter((each) => each.decision === null);
}

function Head({ of, me }: { of: View; me: string | undefined }): ReactNode {
  const [closing, setClosing] = useState(false);
  const run = (what: string, body: unknown = {}): void => {
    act(of.number, what, body).catch((error: unknown) => toast(error instanceof ApiError ? error.message : "This did not work"));
  };
  const mine = of.assignee !== null && of.assignee.id === me;
  return (
    <header className="case-head">
      <Link to={path("desk") + location.search} className="back only-case"><Icon name="left" size={16} />Cases</Link>
      <div className="between case-title">
        <div>
          <h2>{of.subject}</h2>
          <p className="row muted small">
            <strong>{of.number}</strong><CaseState status={of.status} /><Priority of={of.priority} /><Due of={of} />
            <span>{of.queue}</span><span>by {of.channel}</span><span>since {moment(of.created_at)}</span>
            {of.assignee && <span>with {of.assignee.name || (mine ? "you" : of.assignee.id)}</span>}
          </p>
        </div>
        <div className="row case-tools">
          {of.status === "closed" ? (
            <Button onClick={() => run("reopen")}>Reopen</Button>
          ) : (
            <>
              {of.assignee === null && <Button kind="primary" onClick={() => run("take")}>Take</Button>}
              {of.assignee !== null && <Button onClick={() => run("assign")}>Release</Button>}
              {of.attended && <Button onClick={() => run("hand-back")} title="The agent answers again, and the case stays open">Hand back</Button>}
              {!of.attended && of.session_id && <Button onClick={() => run("take", { attend: true })} title="Answer in the place of the agent">Join</Button>}
              <Button onClick={() => setClosing(true)}>Close</Button>
            </>
          )}
        </div>
      </div>
      {of.reason && !of.reason.startsWith(of.subject) && of.status !== "closed" && <p className="small">{of.reason}</p>}
      {closing && <Closing number={of.number} onClose={() => setClosing(false)} onDone={() => { setClosing(false); go(path("desk") + location.search); }} />}
    </header>
  );
}
