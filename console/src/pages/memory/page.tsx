// What is remembered of a person: consent, the facts, and correcting or forgetting them.
import { useState, type ReactNode } from "react";
import { ApiError, get, post, remove, send } from "../../api/client";
import type { List } from "../../api/types";
import { useResource } from "../../lib/resource";
import { Badge, Button, IconButton } from "../../ui/controls";
import { Confirm } from "../../ui/dialog";
import { Empty, Loaded } from "../../ui/states";
import { toast } from "../../ui/toast";
import { FactCard } from "./fact";
import { TextDialog } from "./text";
import type { Fact } from "./types";

interface Consent {
  // null: nobody has asked the person yet.
  consent: boolean | null;
}

export default function MemoryPage(): ReactNode {
  const [user, setUser] = useState("");
  const [named, setNamed] = useState("");
  const [sought, setSought] = useState("");
  const [query, setQuery] = useState("");
  const [doing, setDoing] = useState<"add" | "forget" | "refuse">();
  const of = user ? `user=${encodeURIComponent(user)}` : "";
  const consent = useResource(`consent ${user}`, (signal) => get<Consent>(`/v1/memories/consent?${of}`, signal));
  const facts = useResource(`${user}\n${query}`, async (signal) =>
    query ? found(query, user, signal) : get<List<Fact>>(`/v1/memories?limit=100&order=desc&${of}`, signal),
  );
  const agreed = consent.data?.consent === true;
  const decide = async (agree: boolean): Promise<void> => {
    try {
      await send("/v1/memories/consent", { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify({ consent: agree, user }) });
      toast(agree ? "Facts are remembered from now on" : "Everything is forgotten, and nothing is remembered");
    } catch (error) {
      toast((error as ApiError).message);
    }
    setDoing(undefined);
    consent.reload();
    facts.reload();
  };
  const forgetAll = async (): Promise<void> => {
    try {
      const { deleted } = await remove<{ deleted: number }>(`/v1/memories?${of}`);
      toast(`${deleted} forgotten`);
    } catch (error) {
      toast((error as ApiError).message);
    }
    setDoing(undefined);
    facts.reload();
  };
  const whose = user ? `about ${user}` : "about you";
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <h1>Memory</h1>
          <p className="muted">Facts that are known {whose}, across sessions. Nothing is remembered without consent.</p>
        </div>
        <Button kind="primary" icon="plus" disabled={!agreed} onClick={() => setDoing("add")}>Add</Button>
      </header>
      <form
        className="filters"
        onSubmit={(event) => {
          event.preventDefault();
          setQuery(sought.trim());
          setUser(named.trim());
        }}
      >
        <label className="words">Search<input type="search" value={sought} placeholder="by words and meaning" onChange={(event) => setSought(event.target.value)} /></label>
        <label>User of the application<input value={named} placeholder="you" maxLength={256} onChange={(event) => setNamed(event.target.value)} /></label>
        <Button type="submit" icon="search">Show</Button>
        <IconButton icon="refresh" label="Refresh" onClick={facts.reload} disabled={facts.loading} />
      </form>
      <Loaded of={consent} what="Reading the consent">
        {({ consent: given }) => (
          <section className="card between" aria-label="Consent">
            <p className="row wraps">
              <Badge tone={given ? "good" : given === null ? "plain" : "bad"}>{given ? "agreed" : given === null ? "not decided" : "refused"}</Badge>
              <span>{given ? `Facts ${whose} are remembered.` : `Nothing ${whose} is remembered.`}</span>
            </p>
            {given ? <Button onClick={() => setDoing("refuse")}>Take consent back</Button> : <Button kind="primary" onClick={() => void decide(true)}>Agree</Button>}
          </section>
        )}
      </Loaded>
      <Loaded of={facts} what="Reading the memory">
        {({ data, has_more: more }) =>
          data.length === 0 ? (
            <Empty icon="memory" title={query ? "Nothing fits" : "Nothing is known"}>{query ? "Other words may find it." : "Facts come from conversations, or are added here."}</Empty>
          ) : (
            <>
              <ul className="stack" aria-label="Facts">
                {data.map((fact) => <FactCard key={fact.id} fact={fact} user={user} onChange={facts.reload} />)}
              </ul>
              {more && <p className="muted">These are the latest 100. Use the search for older ones.</p>}
              {!query && <div><Button kind="danger" icon="trash" onClick={() => setDoing("forget")}>Forget everything</Button></div>}
            </>
          )
        }
      </Loaded>
      {doing === "add" && <TextDialog title="Add to the memory" verb="Remember" onClose={() => setDoing(undefined)} onText={async (text) => {
        const { superseded, new: fresh } = await post<{ superseded: string[]; new: boolean }>("/v1/memories", { text, user });
        toast(!fresh ? "It was known already" : superseded.length > 0 ? "Remembered; facts that it contradicts are in the history" : "Remembered");
        setDoing(undefined);
        facts.reload();
      }} />}
      {doing === "forget" && (
        <Confirm title="Forget everything?" verb="Forget everything" onYes={() => void forgetAll()} onClose={() => setDoing(undefined)}>
          <p>All facts {whose} are deleted with their history. The consent stays.</p>
        </Confirm>
      )}
      {doing === "refuse" && (
        <Confirm title="Take the consent back?" verb="Take back and forget" onYes={() => void decide(false)} onClose={() => setDoing(undefined)}>
          <p>Everything that is known {whose} is deleted at once, and nothing is remembered any more.</p>
        </Confirm>
      )}
    </div>
  );
}

async function found(query: string, user: string, signal: AbortSignal): Promise<List<Fact>> {
  return post<List<Fact>>("/v1/memories/search", { query, user, limit: 20 }, signal);
}
