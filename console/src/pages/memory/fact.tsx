// One fact: its words, where it comes from, its history; and changing or forgetting it.
import { useState, type ReactNode } from "react";
import { ApiError, get, post, remove } from "../../api/client";
import type { List } from "../../api/types";
import { moment, plural } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Badge, IconButton } from "../../ui/controls";
import { Confirm, Dialog } from "../../ui/dialog";
import { Loaded } from "../../ui/states";
import { toast } from "../../ui/toast";
import { TextDialog } from "./text";
import type { Fact } from "./types";

export function FactCard({ fact, user, onChange }: { fact: Fact; user: string; onChange: () => void }): ReactNode {
  const [doing, setDoing] = useState<"edit" | "history" | "forget">();
  const url = `/v1/memories/${encodeURIComponent(fact.id)}`;
  const of = user ? `?user=${encodeURIComponent(user)}` : "";
  const close = (): void => setDoing(undefined);
  const forget = async (): Promise<void> => {
    try {
      await remove(`${url}${of}`);
      toast("It is forgotten");
    } catch (error) {
      toast((error as ApiError).message);
    }
    close();
    onChange();
  };
  return (
    <li className="card between top">
      <div>
        <p className="breaking">{fact.text}</p>
        <p className="row wraps muted small">
          {fact.slot && <Badge>{fact.slot}</Badge>}
          {fact.score !== undefined && <span>score {fact.score.toFixed(2)}</span>}
          <span>{moment(fact.at)}</span>
          {fact.origin && <span>{fact.origin}</span>}
          {Boolean(fact.uses) && <span>recalled {plural(fact.uses!, "time")}</span>}
          {fact.session_id && fact.expires_at && <span>in its session only, until {moment(fact.expires_at)}</span>}
        </p>
      </div>
      <div className="row nowrap">
        <IconButton icon="history" label={`History of: ${fact.text}`} onClick={() => setDoing("history")} />
        <IconButton icon="edit" label={`Change: ${fact.text}`} onClick={() => setDoing("edit")} />
        <IconButton icon="trash" label={`Forget: ${fact.text}`} onClick={() => setDoing("forget")} />
      </div>
      {doing === "edit" && <TextDialog title="Change a fact" verb="Save" text={fact.text} onClose={close} onText={async (text) => {
        await post(url, { text, user });
        toast("Changed; the previous text is in the history");
        close();
        onChange();
      }} />}
      {doing === "history" && <History url={`${url}/history${of}`} fact={fact} onClose={close} />}
      {doing === "forget" && (
        <Confirm title="Forget this?" verb="Forget" onYes={() => void forget()} onClose={close}>
          <p>“{fact.text}” is deleted with its history. It is not learned again from old conversations.</p>
        </Confirm>
      )}
    </li>
  );
}

function History({ url, fact, onClose }: { url: string; fact: Fact; onClose: () => void }): ReactNode {
  const history = useResource(url, (signal) => get<List<Fact>>(url, signal));
  return (
    <Dialog title="History" subtitle={fact.text} onClose={onClose}>
      <Loaded of={history} what="Reading the history">
        {({ data }) =>
          data.length === 0 ? <p className="muted">It has superseded nothing.</p> : (
            <ul className="stack" aria-label="Superseded">
              {data.map((each) => <li key={each.id}><p className="breaking">{each.text}</p><p className="muted small">told {moment(each.at)}{each.superseded_at && `, superseded ${moment(each.superseded_at)}`}</p></li>)}
            </ul>
          )
        }
      </Loaded>
    </Dialog>
  );
}
