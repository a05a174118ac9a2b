// One notebook: ask its documents, study them, hear them.
import { useEffect, useState, type FormEvent, type ReactNode } from "react";
import { ApiError, get, post, remove, send } from "../../api/client";
import { notebookUrl, STUDIES, type Evidence, type Notebook, type Recording, type Study } from "../../api/content";
import { moment, plural } from "../../lib/format";
import { Markdown } from "../../lib/markdown";
import { useResource } from "../../lib/resource";
import { go, Link, path } from "../../lib/route";
import { Button, IconButton } from "../../ui/controls";
import { Confirm } from "../../ui/dialog";
import { Icon } from "../../ui/icon";
import { Loaded, Note } from "../../ui/states";
import { toast } from "../../ui/toast";
import { Marks, Sources } from "./evidence";

interface Told {
  answered: boolean | null;
  text: string;
  citations: { index: number; source: string; quote: string }[];
}

export function NotebookView({ id }: { id: string }): ReactNode {
  const url = notebookUrl(id);
  const notebook = useResource(url, (signal) => get<Notebook>(url, signal));
  const [deleting, setDeleting] = useState(false);
  const erase = (): void => void remove(url).then(() => go(path("content", "notebooks")), (error: ApiError) => toast(error.message));
  return (
    <div className="page">
      <Loaded of={notebook} what="Opening the notebook">
        {(found) => (
          <>
            <header className="page-head">
              <div>
                <Link to={path("content", "notebooks")} className="back"><Icon name="left" size={15} />Notebooks</Link>
                <h1 className="breaking">{found.name}</h1>
                <p className="muted breaking">{plural(found.documents.length, "document")}: {found.documents.map((each) => each.name).join(", ")}</p>
              </div>
              <IconButton icon="trash" label="Delete the notebook" onClick={() => setDeleting(true)} />
            </header>
            {found.gone > 0 && <Note tone="warn">{`${plural(found.gone, "document")} of it can no longer be seen.`}</Note>}
            <Ask url={url} />
            <Studies notebook={found} url={url} onChange={notebook.reload} />
          </>
        )}
      </Loaded>
      {deleting && <Confirm title="Delete this notebook?" verb="Delete" onYes={erase} onClose={() => setDeleting(false)}><p>Its recordings are deleted. The documents stay.</p></Confirm>}
    </div>
  );
}

function Ask({ url }: { url: string }): ReactNode {
  const [question, setQuestion] = useState("");
  const [told, setTold] = useState<Told>();
  const [busy, setBusy] = useState(false);
  const ask = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    try {
      setTold(await post<Told>(`${url}/ask`, { question }));
    } catch (error) {
      toast((error as ApiError).message);
    }
    setBusy(false);
  };
  return (
    <section className="stack" aria-label="Ask">
      <form className="filters" onSubmit={(event) => void ask(event)}>
        <label className="words">Question to these documents<input value={question} maxLength={4000} onChange={(event) => setQuestion(event.target.value)} /></label>
        <Button kind="primary" icon="send" type="submit" disabled={busy || !question.trim()}>Ask</Button>
      </form>
      {told && (
        <div className="card stack" aria-live="polite">
          <div className="prose"><Markdown text={told.text} /></div>
          {told.citations.length > 0 && <ol className="plain-list muted small">{told.citations.map((each) => <li key={each.index}>{each.index}. {each.source}: “{each.quote}”</li>)}</ol>}
        </div>
      )}
    </section>
  );
}

function Studies({ notebook, url, onChange }: { notebook: Notebook; url: string; onChange: () => void }): ReactNode {
  const [kind, setKind] = useState("");
  const [pair, setPair] = useState<string[]>([]);
  const [study, setStudy] = useState<Study>();
  const [busy, setBusy] = useState("");
  const make = async (wanted: string): Promise<void> => {
    setKind(wanted);
    if (wanted === "comparison" && notebook.documents.length !== 2 && pair.length !== 2) {
      setStudy(undefined);
      return;
    }
    setBusy(wanted);
    try {
      setStudy(await post<Study>(`${url}/studies`, { kind: wanted, documents: wanted === "comparison" ? pair : [] }));
    } catch (error) {
      toast((error as ApiError).message);
    }
    setBusy("");
  };
  const record = async (): Promise<void> => {
    setBusy("speak");
    try {
      await post(`${url}/recordings`, { kind: "summary" });
      onChange();
    } catch (error) {
      toast((error as ApiError).message);
    }
    setBusy("");
  };
  return (
    <section className="stack" aria-label="Studies">
      <div className="row wraps">
        {STUDIES.map(([name, title]) => <Button key={name} kind={name === kind ? "primary" : "plain"} disabled={busy !== "" || (name === "comparison" && notebook.documents.length < 2)} onClick={() => void make(name)}>{title}</Button>)}
        <Button icon="play" disabled={busy !== ""} onClick={() => void record()}>{busy === "speak" ? "Speaking …" : "Speak the summary"}</Button>
      </div>
      {kind === "comparison" && notebook.documents.length > 2 && (
        <fieldset className="row wraps">
          <legend>Compare these two</legend>
          {notebook.documents.map((each) => (
            <label key={each.document_id} className="row"><input type="checkbox" checked={pair.includes(each.document_id)} disabled={pair.length === 2 && !pair.includes(each.document_id)} onChange={(event) => setPair(event.target.checked ? [...pair, each.document_id] : pair.filter((id) => id !== each.document_id))} />{each.name}</label>
          ))}
          <Button disabled={pair.length !== 2 || busy !== ""} onClick={() => void make("comparison")}>Compare</Button>
        </fieldset>
      )}
      {busy !== "" && busy !== "speak" && <p className="waiting" role="status"><span className="spinner" aria-hidden="true" />Reading the documents</p>}
      {study && (
        <div className="stack">
          {study.remarks.map((each) => <p key={each} className="muted small">{each}</p>)}
          {study.parts.map((part) => (
            <section key={part.heading} className="stack">
              <h2 className="breaking">{part.heading}</h2>
              <ul className="stack">
                {part.lines.map((line, at) => <li key={at}>{line.label && <strong>{line.label}{line.text && ": "}</strong>}{line.text} <Marks of={study} numbers={firsts(study.evidence, line.evidence)} /></li>)}
              </ul>
            </section>
          ))}
          <Sources of={study} />
        </div>
      )}
      {notebook.recordings?.map((each) => <Spoken key={each.id} url={url} recording={each} />)}
    </section>
  );
}

// A sentence with the one before it is one mark.
function firsts(evidence: Evidence[], numbers: number[]): number[] {
  return numbers.filter((at, place) => numbers.findIndex((other) => evidence[other]!.source === evidence[at]!.source) === place);
}

function Spoken({ url, recording }: { url: string; recording: Recording }): ReactNode {
  const [sound, setSound] = useState("");
  useEffect(() => () => URL.revokeObjectURL(sound), [sound]);
  const load = (): void =>
    void send(`${url}/recordings/${recording.id}`).then(async (answer) => setSound(URL.createObjectURL(await answer.blob())), (error: ApiError) => toast(error.message));
  return (
    <div className="card stack">
      <div className="between"><strong>Spoken summary</strong><span className="muted small">{moment(recording.created_at)}</span></div>
      {sound ? <audio controls autoPlay src={sound} aria-label="Spoken summary" /> : <div><Button icon="play" onClick={load}>Play</Button></div>}
      <details><summary>What is said</summary>{recording.script.map((each, at) => <p key={at}><strong>{each.voice}:</strong> {each.text}</p>)}</details>
    </div>
  );
}
