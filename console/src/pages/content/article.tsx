// One article: its plan, its progress, its text with the sources beside it, what was struck, its versions and exports.
import { useEffect, useState, type ReactNode } from "react";
import { ApiError, get, post, remove, send } from "../../api/client";
import { articleUrl, type Article, type KeptArticle, type Section, type Statement, type Version } from "../../api/content";
import { count, moment, money } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { go, Link, path } from "../../lib/route";
import { Badge, Button, IconButton } from "../../ui/controls";
import { Confirm, Dialog } from "../../ui/dialog";
import { Icon } from "../../ui/icon";
import { Loaded, Note } from "../../ui/states";
import { toast } from "../../ui/toast";
import { Marks, Sources } from "./evidence";
import { PlanCard } from "./plan";
import { OPEN, Status } from "./status";

const EVERY_MS = 1000;
const STAGES = ["plan", "research", "draft", "done"];

export function ArticleView({ id }: { id: string }): ReactNode {
  const url = articleUrl(id);
  const article = useResource(url, (signal) => get<KeptArticle>(url, signal));
  const [deleting, setDeleting] = useState(false);
  const live = article.data && (OPEN.includes(article.data.status) || article.data.status === "plan_pending");
  useEffect(() => {
    if (!live) return undefined;
    const timer = setInterval(() => document.hidden || article.reload(), EVERY_MS);
    return () => clearInterval(timer);
  }, [live, article.reload]);
  const erase = async (): Promise<void> => {
    try {
      await remove(url);
      go(path("content", "articles"));
    } catch (error) {
      toast((error as ApiError).message);
    }
  };
  return (
    <div className="page">
      <Loaded of={article} what="Opening the article">
        {(kept) => (
          <>
            <header className="page-head">
              <div>
                <Link to={path("content", "articles")} className="back"><Icon name="left" size={15} />Articles</Link>
                <h1 className="row wraps breaking">{kept.content?.article.title ?? kept.plan?.title ?? kept.brief.topic} <Status status={kept.status} /></h1>
                <p className="row wraps muted small"><span>{kept.brief.kind}, {kept.brief.length}</span><span>{moment(kept.created_at)}</span>{kept.run_id && <Link to={path("runs", kept.run_id)}>its run</Link>}</p>
              </div>
              <div className="row wraps">
                {kept.version > 0 && <Exports kept={kept} />}
                <IconButton icon="trash" label="Delete the article" onClick={() => setDeleting(true)} />
              </div>
            </header>
            {kept.error && <Note tone="bad">{kept.error}</Note>}
            {OPEN.includes(kept.status) && <Working stage={kept.stage} id={id} onChange={article.reload} />}
            {kept.status === "plan_pending" && kept.plan && <PlanCard key={kept.id} kept={kept} onChange={article.reload} />}
            {kept.status === "denied" && <Note>The plan was denied, and nothing was researched.</Note>}
            {kept.content && <Text kept={kept} version={kept.content} onChange={article.reload} />}
          </>
        )}
      </Loaded>
      {deleting && <Confirm title="Delete this article?" verb="Delete" onYes={() => void erase()} onClose={() => setDeleting(false)}><p>All its versions are deleted. A running job that writes it is stopped.</p></Confirm>}
    </div>
  );
}

function Working({ stage, id, onChange }: { stage: string | null; id: string; onChange: () => void }): ReactNode {
  const cancel = (): void => void post(`${articleUrl(id)}/cancel`, {}).then(onChange, (error: ApiError) => toast(error.message));
  return (
    <div className="card between">
      <p className="row wraps" role="status">
        <span className="spinner" aria-hidden="true" />
        {STAGES.slice(0, -1).map((each) => <Badge key={each} tone={each === stage ? "accent" : STAGES.indexOf(each) < STAGES.indexOf(stage ?? "plan") ? "good" : "plain"}>{each}</Badge>)}
      </p>
      <Button icon="stop" onClick={cancel}>Cancel</Button>
    </div>
  );
}

function Exports({ kept }: { kept: KeptArticle }): ReactNode {
  const save = async (format: string, ending: string): Promise<void> => {
    try {
      const blob = await (await send(`${articleUrl(kept.id)}/export?format=${format}`)).blob();
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = `${kept.content?.article.seo.slug || "article"}.${ending}`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    } catch (error) {
      toast((error as ApiError).message);
    }
  };
  return (
    <>
      {([["markdown", "md"], ["html", "html"], ["docx", "docx"]] as const).map(([format, ending]) => (
        <Button key={format} icon="file" onClick={() => void save(format, ending)}>{format === "docx" ? "Word" : format === "html" ? "HTML" : "Markdown"}</Button>
      ))}
    </>
  );
}

function Text({ kept, version, onChange }: { kept: KeptArticle; version: Version; onChange: () => void }): ReactNode {
  const [struck, setStruck] = useState(true);
  const [revising, setRevising] = useState<number>();
  const { article, figures } = version;
  const out = Number(figures["struck"] ?? 0);
  return (
    <>
      <dl className="figures">
        <div><dt>Made</dt><dd>{article.mode === "written" ? `written by ${article.model}` : "assembled from sentences"}</dd></div>
        <div><dt>Words</dt><dd>{count(figures["words"] ?? 0)}</dd></div>
        <div><dt>Supported</dt><dd>{Math.round(100 * (figures["supported"] ?? 1))} % of {count(figures["statements"] ?? 0)}</dd></div>
        <div><dt>Sources</dt><dd>{count(figures["sources"] ?? 0)}</dd></div>
        <div><dt>Tokens</dt><dd>{count(figures["tokens"] ?? 0)}</dd></div>
        <div><dt>Cost</dt><dd>{money((figures["cost_nanousd"] ?? 0) / 1e9)}</dd></div>
        <div><dt>Version</dt><dd>{version.number}{version.change && `: ${version.change}`}</dd></div>
      </dl>
      {article.remarks.length > 0 && <Note><ul className="plain-list">{article.remarks.map((each) => <li key={each.text}>{each.text}</li>)}</ul></Note>}
      {out > 0 && <label className="row"><input type="checkbox" checked={struck} onChange={(event) => setStruck(event.target.checked)} />Show what was struck ({out})</label>}
      <div className="article-beside">
      <article className="stack article-text" aria-label="Article">
        {article.sections.map((section, at) => (
          <SectionText key={at} section={section} article={article} struck={struck} onRevise={() => setRevising(at + 1)} />
        ))}
      </article>
      <div className="stack"><Sources of={article} quotes /></div>
      </div>
      <section className="stack" aria-label="Search engines">
        <h2>For search engines</h2>
        <dl className="figures">
          <div><dt>Title</dt><dd>{article.seo.title}</dd></div>
          <div><dt>Slug</dt><dd className="breaking">{article.seo.slug}</dd></div>
          <div><dt>Keywords</dt><dd>{article.seo.keywords.join(", ") || "–"}</dd></div>
        </dl>
        <p className="muted">{article.seo.description}</p>
        {article.seo.problems.length > 0 && <Note tone="warn"><ul className="plain-list">{article.seo.problems.map((each) => <li key={each}>{each}</li>)}</ul></Note>}
      </section>
      {revising !== undefined && <Revise kept={kept} section={revising} onClose={() => setRevising(undefined)} onDone={onChange} />}
    </>
  );
}

function SectionText({ section, article, struck, onRevise }: { section: Section; article: Article; struck: boolean; onRevise: () => void }): ReactNode {
  const shown = (each: Statement): boolean => struck || each.state !== "struck";
  return (
    <section className="stack">
      <div className="between"><h2 className="breaking">{section.heading}</h2><IconButton icon="edit" label={`Revise ${section.heading}`} onClick={onRevise} /></div>
      {section.paragraphs.map((part, at) => {
        const statements = part.statements.filter(shown).map((each, place) => <Sentence key={place} of={each} article={article} />);
        return part.kind === "list" ? (
          <div key={at}>{part.lead && <p>{part.lead}</p>}<ul>{statements.map((each, place) => <li key={place}>{each}</li>)}</ul></div>
        ) : (
          <p key={at}>{statements}</p>
        );
      })}
      {section.missing.map((each) => <p key={each} className="muted">The sources do not say: {each}</p>)}
    </section>
  );
}

function Sentence({ of, article }: { of: Statement; article: Article }): ReactNode {
  if (of.state === "struck") return <><s className="muted" title={of.reason}>{of.text}</s> <span className="muted small">({of.reason})</span> </>;
  if (of.state === "marked") return <><mark title={of.reason}>{of.text}</mark> <span className="muted small">({of.reason})</span> </>;
  return <>{of.text} <Marks of={article} numbers={of.evidence} /> </>;
}

function Revise({ kept, section, onClose, onDone }: { kept: KeptArticle; section: number; onClose: () => void; onDone: () => void }): ReactNode {
  const [wish, setWish] = useState("make it shorter");
  const [busy, setBusy] = useState(false);
  const revise = async (): Promise<void> => {
    setBusy(true);
    try {
      const made = await post<Version>(`${articleUrl(kept.id)}/revise`, { section, instruction: wish, version: kept.version });
      toast(`Version ${made.number}; the former one stays`);
      onClose();
      onDone();
    } catch (error) {
      toast((error as ApiError).message);
    }
    setBusy(false);
  };
  return (
    <Dialog title={`Revise section ${section}`} onClose={onClose} actions={<><Button onClick={onClose}>Cancel</Button><Button kind="primary" disabled={busy || !wish.trim()} onClick={() => void revise()}>Revise</Button></>}>
      <label className="stack">What should change<textarea rows={3} maxLength={1000} value={wish} onChange={(event) => setWish(event.target.value)} /></label>
      <p className="muted small">Without a writing model, a section can only be made shorter or longer.</p>
    </Dialog>
  );
}
