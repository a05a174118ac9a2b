// The articles, newest first, and ordering one.
import { useEffect, useState, type FormEvent, type ReactNode } from "react";
import { ApiError, get, post } from "../../api/client";
import { ARTICLES, type Articles, type KeptArticle } from "../../api/content";
import type { List } from "../../api/types";
import { moment } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { go, Link, path } from "../../lib/route";
import { Button, Field } from "../../ui/controls";
import { Dialog } from "../../ui/dialog";
import { Empty, Loaded } from "../../ui/states";
import { OPEN, Status } from "./status";

const EVERY_MS = 2000;

export function ArticleList(): ReactNode {
  const url = `${ARTICLES}?limit=100&order=desc`;
  const articles = useResource(url, (signal) => get<Articles>(url, signal));
  const [ordering, setOrdering] = useState(false);
  const working = articles.data?.data.some((each) => OPEN.includes(each.status));
  useEffect(() => {
    if (!working) return undefined;
    const timer = setInterval(() => document.hidden || articles.reload(), EVERY_MS);
    return () => clearInterval(timer);
  }, [working, articles.reload]);
  const order = <Button kind="primary" icon="plus" onClick={() => setOrdering(true)}>New article</Button>;
  return (
    <>
      <Loaded of={articles} what="Reading the articles">
        {({ data }) =>
          data.length === 0 ? (
            <Empty icon="file" title="There are no articles yet" action={order}>An article is planned, researched and written from your documents.</Empty>
          ) : (
            <>
              <div>{order}</div>
              <ul className="stack" aria-label="Articles">
                {data.map((each) => (
                  <li key={each.id}>
                    <Link to={path("content", "articles", each.id)} className="card card-link">
                      <span className="between"><strong className="breaking">{each.plan?.title ?? each.brief.topic}</strong><Status status={each.status} /></span>
                      <span className="row wraps muted small">
                        <span>{each.brief.kind}, {each.brief.length}</span>
                        {each.brief.collections.length > 0 && <span>from {each.brief.collections.join(", ")}</span>}
                        <span>{moment(each.created_at)}</span>
                        {each.version > 1 && <span>version {each.version}</span>}
                        {OPEN.includes(each.status) && each.stage && <span>{each.stage} …</span>}
                      </span>
                    </Link>
                  </li>
                ))}
              </ul>
            </>
          )
        }
      </Loaded>
      {ordering && <Order onClose={() => setOrdering(false)} />}
    </>
  );
}

function Order({ onClose }: { onClose: () => void }): ReactNode {
  const stores = useResource("content stores", (signal) => get<List<{ id: string; name: string }>>("/v1/vector_stores?limit=100", signal));
  const [brief, setBrief] = useState({ topic: "", audience: "", kind: "article", length: "medium", keywords: "", questions: "" });
  const [collections, setCollections] = useState<string[]>([]);
  const [approval, setApproval] = useState(true);
  const [error, setError] = useState("");
  const set = (name: keyof typeof brief) => (event: { target: { value: string } }): void => setBrief({ ...brief, [name]: event.target.value });
  const lines = (text: string, by: RegExp): string[] => text.split(by).map((each) => each.trim()).filter(Boolean);
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    try {
      const made = await post<KeptArticle>(ARTICLES, { ...brief, keywords: lines(brief.keywords, /,/), questions: lines(brief.questions, /\n/), collections, approval });
      go(path("content", "articles", made.id));
    } catch (problem) {
      setError((problem as ApiError).message);
    }
  };
  return (
    <Dialog
      title="New article"
      subtitle="It is written in the background and survives a restart."
      wide
      onClose={onClose}
      actions={<><Button onClick={onClose}>Cancel</Button><Button kind="primary" type="submit" form="brief" disabled={!brief.topic.trim()}>Order it</Button></>}
    >
      <form id="brief" className="stack" onSubmit={(event) => void submit(event)}>
        <Field label="Topic" error={error}>{(ids) => <textarea {...ids} rows={2} maxLength={2000} value={brief.topic} onChange={set("topic")} />}</Field>
        <div className="filters">
          <label>Kind<select value={brief.kind} onChange={set("kind")}>{["article", "blog", "guide", "report", "faq", "news"].map((each) => <option key={each}>{each}</option>)}</select></label>
          <label>Length<select value={brief.length} onChange={set("length")}>{["short", "medium", "long"].map((each) => <option key={each}>{each}</option>)}</select></label>
          <label className="words">Readers<input value={brief.audience} maxLength={400} onChange={set("audience")} /></label>
          <label className="words">Keywords<input value={brief.keywords} placeholder="separated by commas" onChange={set("keywords")} /></label>
        </div>
        <Field label="Questions that it must answer" hint="one a line; each gets a section">{(ids) => <textarea {...ids} rows={3} value={brief.questions} onChange={set("questions")} />}</Field>
        <fieldset className="stack">
          <legend>Sources</legend>
          <Loaded of={stores} what="Reading the collections">
            {({ data }) => (
              <div className="row wraps">
                {data.length === 0 && <span className="muted">There are no collections yet.</span>}
                {data.map((each) => (
                  <label key={each.id} className="row">
                    <input type="checkbox" checked={collections.includes(each.name)} onChange={(event) => setCollections(event.target.checked ? [...collections, each.name] : collections.filter((name) => name !== each.name))} />
                    {each.name}
                  </label>
                ))}
              </div>
            )}
          </Loaded>
          <p className="muted small">None chosen: all collections that you may see.</p>
        </fieldset>
        <label className="row"><input type="checkbox" checked={approval} onChange={(event) => setApproval(event.target.checked)} />I approve the plan before anything is researched</label>
      </form>
    </Dialog>
  );
}
