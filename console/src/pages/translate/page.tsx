// Two panes: a text and its translation; the language that was told; and suggesting a better translation.
import { useState, type ReactNode } from "react";
import { ApiError, get, post } from "../../api/client";
import { useResource } from "../../lib/resource";
import { Badge, Button, Field } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";
import { toast } from "../../ui/toast";

interface Language { language: string; name: string }
interface Guess extends Language { probability: number }
interface Known { data: { id: string; pairs: string[] }[]; languages: Language[] }
interface Translation {
  id: string | null;
  model: string | null;
  source: string | null;
  needs_source: boolean;
  detected: Guess[];
  text: string | null;
  sentences?: { parted: number; copied: number; doubtful: number };
}

export default function TranslatePage(): ReactNode {
  const known = useResource("translators", (signal) => get<Known>("/v1/translate/languages", signal));
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <h1>Translate</h1>
          <p className="muted">Numbers, addresses, code and names stay as they are.</p>
        </div>
      </header>
      <Loaded of={known} what="Looking for translators">
        {({ data, languages }) =>
          data.length === 0
            ? <Empty icon="columns" title="There is no translator yet">Bring a public one (<code>mainspring translate convert OWNER/NAME --pair en-fr</code>), train one on pairs (<code>mainspring train translate --data FOLDER</code>), or have the larger chat model served, which translates too.</Empty>
            : <Panes languages={languages} pairs={data.flatMap((each) => each.pairs)} />
        }
      </Loaded>
    </div>
  );
}

function Panes({ languages, pairs }: { languages: Language[]; pairs: string[] }): ReactNode {
  const [text, setText] = useState("");
  const [source, setSource] = useState("");
  const targets = languages.filter((each) => pairs.some((pair) => pair.endsWith(`-${each.language}`) && (!source || pair.startsWith(`${source}-`))));
  const [wanted, setWanted] = useState("");
  const target = targets.find((each) => each.language === wanted)?.language ?? targets[0]?.language ?? "";
  const [said, setSaid] = useState<Translation & { of: string; target: string }>();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const translate = async (from: string): Promise<void> => {
    setBusy(true);
    setProblem("");
    try {
      const made = await post<Translation>("/v1/translate", { text, target, ...(from ? { source: from } : {}) });
      setSaid({ ...made, of: text, target });
    } catch (error) {
      setProblem(error instanceof ApiError ? error.message : "It was not translated.");
    }
    setBusy(false);
  };
  const name = (code: string | null): string => languages.find((each) => each.language === code)?.name ?? code ?? "";
  return (
    <div className="two">
      <section aria-label="Text">
        <Field label="From">
          {(ids) => (
            <select {...ids} value={source} onChange={(event) => setSource(event.target.value)}>
              <option value="">Detect the language</option>
              {languages.map((each) => <option key={each.language} value={each.language}>{each.name}</option>)}
            </select>
          )}
        </Field>
        <Field label="Text" error={problem}>
          {(ids) => <textarea {...ids} rows={10} value={text} onChange={(event) => setText(event.target.value)} />}
        </Field>
        <Button kind="primary" disabled={busy || !text.trim() || !target} onClick={() => void translate(source)}>
          {busy ? "Translating" : "Translate"}
        </Button>
      </section>
      <section aria-label="Translation">
        <Field label="To">
          {(ids) => (
            <select {...ids} value={target} onChange={(event) => setWanted(event.target.value)}>
              {targets.map((each) => <option key={each.language} value={each.language}>{each.name}</option>)}
            </select>
          )}
        </Field>
        {said?.needs_source && (
          <div role="status">
            <p>Which language is it in?</p>
            <p className="row wraps">
              {said.detected.map((each) => (
                <Button key={each.language} onClick={() => { setSource(each.language); void translate(each.language); }}>{each.name}</Button>
              ))}
            </p>
          </div>
        )}
        {said && said.text !== null && said.source === said.target && <p role="status">The text is in {name(said.source)} already: choose another language.</p>}
        {said && said.text !== null && said.source !== said.target && <Said key={`${said.id ?? ""}${said.text}`} said={said} text={said.text} from={name(said.source)} />}
      </section>
    </div>
  );
}

// The translation can be changed, and sent back as it should have been.
function Said({ said, text, from }: { said: Translation & { of: string; target: string }; text: string; from: string }): ReactNode {
  const [edit, setEdit] = useState(text);
  const [consent, setConsent] = useState(false);
  const changed = edit.trim() !== text.trim() && edit.trim() !== "";
  const send = async (): Promise<void> => {
    try {
      await post(`/v1/translate/${encodeURIComponent(said.id ?? "")}/edit`, {
        source: said.of, translation: text, edit, source_language: said.source, target_language: said.target, consent,
      });
      toast("Thank you: your translation is used for you from now on");
    } catch (error) {
      toast(error instanceof ApiError ? error.message : "It was not recorded.");
    }
  };
  return (
    <>
      <Field label="Translation" hint="Change it to suggest a better one">
        {(ids) => <textarea {...ids} rows={10} value={edit} onChange={(event) => setEdit(event.target.value)} />}
      </Field>
      <p className="row wraps muted small">
        <span>from {from}</span>
        {said.model && <span>by {said.model}</span>}
        {Boolean(said.sentences?.copied) && <Badge tone="warn">some of it was not translated</Badge>}
        {Boolean(said.sentences?.doubtful) && <Badge tone="warn">some of it may be wrong</Badge>}
      </p>
      {changed && said.id && (
        <>
          <label className="check"><input type="checkbox" checked={consent} onChange={(event) => setConsent(event.target.checked)} /><span>It may be used to improve models</span></label>
          <Button icon="send" onClick={() => void send()}>Suggest this</Button>
        </>
      )}
    </>
  );
}
