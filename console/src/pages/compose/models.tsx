// Which model suggests: for this box alone by a choice, and for everybody by an administrator.
import { useState, type ReactNode } from "react";
import { ApiError, get, post } from "../../api/client";
import { moment } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { useMe } from "../../session";
import { Button, Field } from "../../ui/controls";
import { Loaded } from "../../ui/states";
import { toast } from "../../ui/toast";

interface Model {
  id: string;
  created_at: number;
  figures: Record<string, number>;
  stale: string | null;
  serving: boolean;
}

interface Known {
  data: Model[];
  // null: the model of the server.
  serving: string | null;
  trying: string | null;
  stage: string;
}

const URL = "/v1/compose/models";
const SERVER = "the model of the server";

export function Models({ model, onModel }: { model: string; onModel: (model: string) => void }): ReactNode {
  const admin = useMe().scopes.includes("admin");
  const known = useResource(URL, (signal) => get<Known>(URL, signal));
  const [busy, setBusy] = useState(false);
  const change = async (what: () => Promise<string>): Promise<void> => {
    setBusy(true);
    try {
      toast(await what());
    } catch (error) {
      toast(error instanceof ApiError ? error.message : "This did not work.");
    }
    setBusy(false);
    known.reload();
  };
  const use = (): Promise<void> => change(async () => {
    const made = await post<{ id: string }>("/v1/variants", { kind: "model", application: "compose", value: { model } });
    await post(`/v1/variants/candidates/${made.id}`, { action: "promote" });
    return `${model} suggests for everybody`;
  });
  const undo = (): Promise<void> => change(async () => {
    await post("/v1/variants/compose/undo", { reason: "" });
    return "What suggested before does so again";
  });
  return (
    <Loaded of={known} what="Reading the models">
      {({ data, serving, trying, stage }) => (
        <div className="stack" aria-label="Model" role="group">
          {data.length > 0 && (
            <Field label="Suggestions by">
              {(ids) => (
                <select {...ids} value={model} onChange={(event) => onModel(event.target.value)}>
                  <option value="">{`What serves everybody: ${serving ?? SERVER}`}</option>
                  {data.map((each) => <option key={each.id} value={each.id}>{`${each.id}, ${moment(each.created_at)}${perplexity(each)}${each.stale ? ", stale" : ""}`}</option>)}
                </select>
              )}
            </Field>
          )}
          <p className="row wraps muted small">
            <span>{`Everybody gets suggestions by ${serving ?? SERVER}.`}{trying && ` ${trying} is tried beside it (${stage}).`}</span>
            {data.length === 0 && <span><Link to={path("train")}>Train one</Link> on your own mails with the recipe compose.</span>}
            {admin && model && model !== serving && <Button disabled={busy} onClick={() => void use()}>{`Use ${model} for everybody`}</Button>}
            {admin && serving && <Button disabled={busy} onClick={() => void undo()}>Undo</Button>}
          </p>
        </div>
      )}
    </Loaded>
  );
}

function perplexity({ figures }: Model): string {
  const value = figures.perplexity_per_word;
  return value === undefined ? "" : `, perplexity ${value.toPrecision(3)}`;
}
