// What a judged answer scored: by the embeddings or the model that judged it, in the background.
import type { ReactNode } from "react";
import type { Verdict } from "../../api/monitor";
import { measure, score } from "../../lib/measures";

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
