// Own phrases: learned with consent alone, from mails of which the person says that they are done.
import { useState, type ReactNode } from "react";
import { ApiError, get, post, remove, send } from "../../api/client";
import { plural } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Button } from "../../ui/controls";
import { Loaded, Note } from "../../ui/states";

interface Decided {
  // null: nothing was decided yet.
  consent: boolean | null;
  texts: number;
}

const URL = "/v1/compose/personal";

export function Personal({ text }: { text: string }): ReactNode {
  const found = useResource(URL, (signal) => get<Decided>(URL, signal));
  const [learned, setLearned] = useState("");
  const [problem, setProblem] = useState("");
  const attempt = async (what: () => Promise<unknown>): Promise<void> => {
    setProblem("");
    try {
      await what();
    } catch (error) {
      setProblem(error instanceof ApiError ? error.message : "This did not work.");
    }
    found.reload();
  };
  const decide = (consent: boolean): Promise<void> => attempt(() => send(URL, { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify({ consent }) }));
  const learn = (): Promise<void> => attempt(async () => {
    await post(URL, { text });
    setLearned(text);
  });
  return (
    <section aria-label="Your own phrases" className="stack">
      <h2>Your own phrases</h2>
      {problem && <Note tone="bad">{problem}</Note>}
      <Loaded of={found} what="Reading what you decided">
        {({ consent, texts }) => (
          <>
            <label className="check"><input type="checkbox" checked={consent === true} onChange={(event) => void decide(event.target.checked)} /><span>Suggestions may learn from my mails. Nobody else sees an effect; without this, learned mails are deleted.</span></label>
            {consent === true && (
              <p className="row wraps">
                <Button disabled={!text.trim() || learned === text} onClick={() => void learn()}>{learned && learned === text ? "Learned" : "Learn from this mail"}</Button>
                <span className="muted small">{`${plural(texts, "mail")} learned`}</span>
                {texts > 0 && <Button onClick={() => void attempt(() => remove(URL))}>Forget them</Button>}
              </p>
            )}
          </>
        )}
      </Loaded>
    </section>
  );
}
