// One prompt: its labels, which move and come back; its versions, their texts, and what changed between two.
import { useState, type ReactNode } from "react";
import { ApiError, get, post, put } from "../../api/client";
import type { Prompt, PromptDiff, PromptVersion } from "../../api/prompts";
import { moment } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { Badge, Button, Field } from "../../ui/controls";
import { Confirm, Dialog } from "../../ui/dialog";
import { Icon } from "../../ui/icon";
import { Loaded, Note } from "../../ui/states";
import { toast } from "../../ui/toast";
import { VersionEditor } from "./editor";

export function PromptView({ name }: { name: string }): ReactNode {
  const url = `/v1/prompts/${encodeURIComponent(name)}`;
  const prompt = useResource(url, (signal) => get<Prompt>(url, signal));
  const [open, setOpen] = useState<number>();
  return (
    <div className="page">
      <Loaded of={prompt} what="Opening the prompt">
        {(found) => {
          const shown = open ?? found.latest;
          return (
            <>
              <header className="page-head">
                <div>
                  <Link to={path("prompts")} className="back"><Icon name="left" size={15} />Prompts</Link>
                  <h1>{found.id}</h1>
                </div>
                <Edit prompt={found} from={shown} url={url} onMade={(version) => { setOpen(version); prompt.reload(); }} />
              </header>
              <Labels prompt={found} url={url} onMoved={prompt.reload} />
              <div className="prompt-body">
                <Versions prompt={found} shown={shown} onOpen={setOpen} />
                <VersionText key={shown} prompt={found} url={url} version={shown} />
              </div>
            </>
          );
        }}
      </Loaded>
    </div>
  );
}

function Edit({ prompt, from, url, onMade }: { prompt: Prompt; from: number; url: string; onMade: (version: number) => void }): ReactNode {
  const [editing, setEditing] = useState<PromptVersion>();
  const edit = async (): Promise<void> => {
    try {
      setEditing(await get<PromptVersion>(`${url}/versions/${from}`));
    } catch (error) {
      toast((error as ApiError).message);
    }
  };
  return (
    <>
      <Button kind="primary" icon="edit" onClick={() => void edit()}>New version</Button>
      {editing && (
        <VersionEditor
          name={prompt.id}
          from={editing}
          onClose={() => setEditing(undefined)}
          onMade={(made) => {
            setEditing(undefined);
            onMade(made.version);
          }}
        />
      )}
    </>
  );
}

function Labels({ prompt, url, onMoved }: { prompt: Prompt; url: string; onMoved: () => void }): ReactNode {
  const [moving, setMoving] = useState<string>();
  const [back, setBack] = useState<string>();
  const rollback = async (label: string): Promise<void> => {
    try {
      const moved = await post<{ version: number | null }>(`${url}/labels/${encodeURIComponent(label)}/rollback`, {});
      toast(moved.version === null ? `${label} points nowhere again` : `${label} points to version ${moved.version} again`);
    } catch (error) {
      toast((error as ApiError).message);
    }
    setBack(undefined);
    onMoved();
  };
  return (
    <section className="stack" aria-label="Labels">
      <div className="section-head">
        <h2>Labels</h2>
        <Button icon="plus" onClick={() => setMoving("")}>New label</Button>
      </div>
      {Object.keys(prompt.labels).length === 0 ? (
        <p className="muted">No label points to a version yet. Requests can name a version by its number, or <code>latest</code>.</p>
      ) : (
        <div className="scroll" tabIndex={0} role="group" aria-label="Labels">
          <table className="table">
            <thead><tr><th>Label</th><th className="number">Version</th><th className="number">Moves</th><th className="tools"><span className="hidden">Actions</span></th></tr></thead>
            <tbody>
              {Object.entries(prompt.labels).map(([label, at]) => (
                <tr key={label}>
                  <td><Badge tone="accent">{label}</Badge></td>
                  <td className="number">{at.version}</td>
                  <td className="number">{at.revision}</td>
                  <td className="tools">
                    <Button kind="quiet" onClick={() => setMoving(label)}>Move</Button>
                    {at.revision > 1 && <Button kind="quiet" onClick={() => setBack(label)}>Roll back</Button>}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {moving !== undefined && <MoveLabel prompt={prompt} url={url} label={moving} onClose={() => setMoving(undefined)} onMoved={() => { setMoving(undefined); onMoved(); }} />}
      {back !== undefined && (
        <Confirm title={`Roll ${back} back?`} verb="Roll back" onYes={() => void rollback(back)} onClose={() => setBack(undefined)}>
          <p>The last move of <strong>{back}</strong> is taken back. Requests use the version before it from now on.</p>
        </Confirm>
      )}
    </section>
  );
}

interface MoveProps {
  prompt: Prompt;
  url: string;
  label: string;
  onClose: () => void;
  onMoved: () => void;
}

function MoveLabel({ prompt, url, label, onClose, onMoved }: MoveProps): ReactNode {
  const [name, setName] = useState(label || "production");
  const [version, setVersion] = useState(prompt.latest);
  const [note, setNote] = useState("");
  const [error, setError] = useState("");
  const submit = async (): Promise<void> => {
    try {
      const seen = prompt.labels[name]?.revision ?? 0;
      await put(`${url}/labels/${encodeURIComponent(name)}`, { version, note: note.trim() }, seen);
      toast(`${name} points to version ${version}`);
      onMoved();
    } catch (problem) {
      setError((problem as ApiError).message);
    }
  };
  return (
    <Dialog
      title={label ? `Move ${label}` : "New label"}
      onClose={onClose}
      actions={<><Button onClick={onClose}>Cancel</Button><Button kind="primary" disabled={!name.trim()} onClick={() => void submit()}>{label ? "Move" : "Create"}</Button></>}
    >
      {error && <Note tone="bad">{error}</Note>}
      {!label && <Field label="Label">{(ids) => <input {...ids} value={name} onChange={(event) => setName(event.target.value.trim())} />}</Field>}
      <Field label="Version">
        {(ids) => (
          <select {...ids} value={version} onChange={(event) => setVersion(Number(event.target.value))}>
            {living(prompt).map((each) => <option key={each.version} value={each.version}>{each.version}{each.note ? `: ${each.note}` : ""}</option>)}
          </select>
        )}
      </Field>
      <Field label="Note" hint="why, optional">{(ids) => <input {...ids} value={note} maxLength={2000} onChange={(event) => setNote(event.target.value)} />}</Field>
    </Dialog>
  );
}

// Newest first, without those whose text was deleted.
function living(prompt: Prompt): PromptVersion[] {
  return prompt.versions.filter((each) => each.deleted_at === null).sort((a, b) => b.version - a.version);
}

function Versions({ prompt, shown, onOpen }: { prompt: Prompt; shown: number; onOpen: (version: number) => void }): ReactNode {
  const labels = (version: number): string[] => Object.entries(prompt.labels).filter(([, at]) => at.version === version).map(([label]) => label);
  return (
    <section aria-label="Versions" className="stack">
      <h2>Versions</h2>
      <ul className="version-list">
        {living(prompt).map((version) => (
          <li key={version.version}>
            <button type="button" aria-pressed={version.version === shown} onClick={() => onOpen(version.version)}>
              <span className="row"><strong>Version {version.version}</strong>{labels(version.version).map((label) => <Badge key={label} tone="accent">{label}</Badge>)}</span>
              {version.note && <span className="small">{version.note}</span>}
              <span className="muted small">{moment(version.created_at)}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function VersionText({ prompt, url, version }: { prompt: Prompt; url: string; version: number }): ReactNode {
  const [against, setAgainst] = useState(0);
  const text = useResource(`${url}/versions/${version}`, (signal) => get<PromptVersion>(`${url}/versions/${version}`, signal));
  const others = living(prompt).filter((each) => each.version !== version);
  return (
    <section aria-label={`Version ${version}`} className="stack">
      <div className="section-head">
        <h2>Version {version}</h2>
        {others.length > 0 && (
          <label className="inline small">
            Compare with{" "}
            <select value={against} onChange={(event) => setAgainst(Number(event.target.value))}>
              <option value={0}>nothing</option>
              {others.map((each) => <option key={each.version} value={each.version}>version {each.version}</option>)}
            </select>
          </label>
        )}
      </div>
      {against ? <Difference url={url} from={against} to={version} /> : (
        <Loaded of={text} what="Reading the version">
          {(found) => (
            <>
              {found.variables.length > 0 && <p className="row small">Variables {found.variables.map((each) => <code key={each}>{each}</code>)}</p>}
              {(found.messages ?? []).map((message, index) => (
                <div key={index} className="card said-card">
                  <Badge>{message.role}</Badge>
                  <p className="prompt-text">{message.content}</p>
                </div>
              ))}
            </>
          )}
        </Loaded>
      )}
    </section>
  );
}

function Difference({ url, from, to }: { url: string; from: number; to: number }): ReactNode {
  const address = `${url}/diff?from=${from}&to=${to}`;
  const diff = useResource(address, (signal) => get<PromptDiff>(address, signal));
  return (
    <Loaded of={diff} what="Comparing">
      {(found) =>
        found.diff === "" ? <p className="muted">They say the same.</p> : (
          <pre className="diff" tabIndex={0} aria-label={`What changed from version ${from} to ${to}`}>
            {found.diff.split("\n").slice(2).map((line, index) => (
              <span key={index} className={line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : line.startsWith("@@") ? "place" : ""}>{line || " "}</span>
            ))}
          </pre>
        )
      }
    </Loaded>
  );
}
