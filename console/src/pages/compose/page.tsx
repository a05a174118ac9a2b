// A mail that is completed while it is typed, and what suggestions were worth so far.
import { useMemo, useState, type ReactNode } from "react";
import { get } from "../../api/client";
import { useResource } from "../../lib/resource";
import { useMe } from "../../session";
import { Button } from "../../ui/controls";
import { Loaded } from "../../ui/states";
import { ComposeBox } from "./box";
import { Models } from "./models";
import { Personal } from "./personal";
import { Sent } from "./sent";

interface Share {
  value: number;
  low: number;
  high: number;
  n: number;
}

interface Figures {
  shown: number;
  accepted: number;
  characters_saved: number;
  acceptance: Share | null;
  usage: Share | null;
}

export default function ComposePage(): ReactNode {
  const me = useMe();
  const [subject, setSubject] = useState("");
  const [to, setTo] = useState("");
  const [mail, setMail] = useState(0);
  const [saved, setSaved] = useState(0);
  const [text, setText] = useState("");
  const [turn, setTurn] = useState(0);
  const [model, setModel] = useState("");
  const [consent, setConsent] = useState(false);
  const [answer, setAnswer] = useState("");
  const session = useMemo(() => `console ${mail} ${crypto.randomUUID()}`, [mail]);
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <h1>Compose</h1>
          <p className="muted">Suggestions appear after three words and a short pause, never within a word.</p>
        </div>
        <Button icon="plus" onClick={() => { setMail((each) => each + 1); setText(""); setAnswer(""); }}>New mail</Button>
      </header>
      <section className="stack" aria-label="Mail" key={mail}>
        <div className="compose-heads">
          <label>To<input value={to} onChange={(event) => setTo(event.target.value)} placeholder="support" /></label>
          <label>Subject<input value={subject} onChange={(event) => setSubject(event.target.value)} placeholder="Card arrival" /></label>
        </div>
        <Models model={model} onModel={setModel} />
        <ComposeBox
          subject={subject}
          to={to}
          session={session}
          model={model}
          consent={consent}
          onText={setText}
          onAnswer={setAnswer}
          onOutcome={(_, characters) => {
            setSaved((each) => each + characters);
            setTurn((each) => each + 1);
          }}
        />
        <p className="muted small">{saved === 1 ? "1 character" : `${saved} characters`} not typed by hand so far.</p>
        <Sent key={session} mail={{ text, subject, to, session_id: session }} answer={answer} consent={consent} onConsent={(yes) => { setConsent(yes); setAnswer(""); }} />
      </section>
      <Personal text={text} />
      {me.scopes.includes("admin") && <FiguresOfTenant turn={turn} />}
    </div>
  );
}

function FiguresOfTenant({ turn }: { turn: number }): ReactNode {
  const figures = useResource(`figures ${turn}`, (signal) => get<Figures>("/v1/compose/figures", signal));
  return (
    <section aria-label="Figures" className="stack">
      <h2>Of all mails in the last 30 days</h2>
      <Loaded of={figures} what="Reading the figures">
        {(found) => (
          <dl className="figures">
            <div><dt>Shown</dt><dd>{found.shown}</dd></div>
            <div><dt>Accepted</dt><dd>{found.accepted}<small>{share(found.acceptance)}</small></dd></div>
            <div><dt>Mails with one accepted</dt><dd>{share(found.usage)}</dd></div>
            <div><dt>Characters saved</dt><dd>{found.characters_saved}</dd></div>
          </dl>
        )}
      </Loaded>
    </section>
  );
}

function share(found: Share | null): string {
  if (!found) return "–";
  const percent = (value: number): string => `${Math.round(100 * value)} %`;
  return `${percent(found.value)} (${percent(found.low)} to ${percent(found.high)})`;
}
