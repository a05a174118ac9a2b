// What an answer scored: at once, by what the guards found in it; later, by what judged it; and by people.
import type { ReactNode } from "react";
import { get } from "../../api/client";
import type { Verdict } from "../../api/monitor";
import type { Scores } from "../../api/review";
import { FOUND_AT_ONCE, measure, score } from "../../lib/measures";
import { useResource } from "../../lib/resource";
import { Badge } from "../../ui/controls";

export function AtOnce({ answer }: { answer: string }): ReactNode {
  const url = `/v1/review/answers/${encodeURIComponent(answer)}/scores`;
  const found = useResource(url, (signal) => get<Scores>(url, signal));
  const { realtime, people = {} } = found.data ?? {};
  // A trace is read without them, too: an older server has none, and an erased answer none any more.
  if (!realtime) return null;
  return (
    <section className="stack" aria-label="Found at once">
      <dl className="figures">
        {FOUND_AT_ONCE.map((name) => (
          <div key={name}><dt>{measure(name)}</dt><dd>{realtime[name] === undefined ? <span title="No policy makes this check">not checked</span> : score(realtime[name])}</dd></div>
        ))}
        {Object.entries(people).map(([queue, verdict]) => (
          <div key={queue}><dt>People: {queue}</dt><dd><Badge tone={verdict.approved ? "good" : "bad"}>{verdict.approved ? "approved" : "rejected"}</Badge></dd></div>
        ))}
      </dl>
      <p className="muted small">Every answer has these scores at once: 1 where nothing was found. Guards look for toxicity and personal data; an answer that was cut, or does not fit its schema, is not in its format.</p>
    </section>
  );
}

export function Verdicts({ found }: { found: Verdict[] }): ReactNode {
  return found.map((verdict) => (
    <section key={verdict.id} className="stack" aria-label="Verdict on the answer">
      <dl className="figures">
        {Object.entries(verdict.scores).map(([name, value]) => (
          <div key={name}><dt>{measure(name)}</dt><dd>{score(value)}</dd></div>
        ))}
        {verdict.claims > 0 && <div><dt>Supported statements</dt><dd>{verdict.supported} of {verdict.claims}</dd></div>}
      </dl>
      <p className="muted small">Judged by {verdict.judge.split("@")[0]}, from 0 to 1. The score of a single answer says little; means show whether answers get worse.</p>
    </section>
  ));
}
