// Asking a recorded request again, otherwise, and both answers side by side.
import { useState, type ReactNode } from "react";
import { ApiError, get, may, post, sentence } from "../../api/client";
import type { PromptInfo } from "../../api/prompts";
import type { Citation, List, Model } from "../../api/types";
import { count, milliseconds, moment, money } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { go, Link, path } from "../../lib/route";
import { useMe } from "../../session";
import { Badge, Button, Field } from "../../ui/controls";
import { Dialog } from "../../ui/dialog";
import { Icon } from "../../ui/icon";
import { Loaded, Note } from "../../ui/states";

interface Side {
  answer_id: string;
  trace_id: string;
  created_at: number;
  status: string;
  requested: string;
  model: string;
  prompt: unknown;
  sampling: Record<string, unknown>;
  text: string | null;
  finish: string[];
  cache: string | null;
  prompt_tokens: number;
  completion_tokens: number;
  cost_usd: number;
  duration_ms: number | null;
  ttft_ms: number | null;
  citations: Citation[];
  guards: Record<string, unknown>[];
}

interface Replay {
  id: string;
  created_at: number;
  original: Side | null;
  replay: Side;
  diff: { kind: string; text: string }[] | null;
  agreement: { exact: boolean; similarity: number | null } | null;
  notices: string[];
}

const ANSWERING = new Set(["chat", "application", "collection", "route"]);

export function ReplayDialog({ trace, requested, onClose }: { trace: string; requested: string; onClose: () => void }): ReactNode {
  const me = useMe();
  const models = useResource("models", (signal) => get<List<Model>>("/v1/models", signal));
  const prompts = useResource("prompts", async (signal) => (may(me, "prompts") ? get<List<PromptInfo>>("/v1/prompts?limit=100", signal) : { data: [] }));
  const [model, setModel] = useState("");
  const [prompt, setPrompt] = useState("");
  const [temperature, setTemperature] = useState("");
  const [seed, setSeed] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (): Promise<void> => {
    setBusy(true);
    setError("");
    const [id, version] = prompt.split("@");
    const parameters = { ...(temperature === "" ? {} : { temperature: Number(temperature) }), ...(seed === "" ? {} : { seed: Number(seed) }) };
    try {
      const made = await post<Replay>("/v1/replays", {
        trace_id: trace,
        ...(model ? { model } : {}),
        ...(id ? { prompt: { id, version } } : {}),
        ...(Object.keys(parameters).length > 0 ? { parameters } : {}),
      });
      go(path("traces", trace, "replay", made.id));
    } catch (problem) {
      setError((problem as ApiError).message);
      setBusy(false);
    }
  };
  const versions = (prompts.data?.data ?? []).flatMap((each) => [...Object.keys(each.labels), "latest"].map((label) => `${each.id}@${label}`));
  return (
    <Dialog
      title="Replay this request"
      subtitle="The recorded request is sent again with your changes. Both answers are shown side by side."
      onClose={onClose}
      actions={<><Button onClick={onClose}>Cancel</Button><Button kind="primary" disabled={busy} onClick={() => void submit()}>{busy ? "Asking …" : "Replay"}</Button></>}
    >
      {error && <Note tone="bad">{error}</Note>}
      <Field label="Model or application">
        {(ids) => (
          <select {...ids} value={model} onChange={(event) => setModel(event.target.value)}>
            <option value="">As it was{requested ? `: ${requested}` : ""}</option>
            {(models.data?.data ?? []).filter((each) => ANSWERING.has(each.kind)).map((each) => <option key={each.id}>{each.id}</option>)}
          </select>
        )}
      </Field>
      {versions.length > 0 && (
        <Field label="Prompt">
          {(ids) => (
            <select {...ids} value={prompt} onChange={(event) => setPrompt(event.target.value)}>
              <option value="">As it was</option>
              {versions.map((each) => <option key={each}>{each}</option>)}
            </select>
          )}
        </Field>
      )}
      <div className="parameters-grid">
        <Field label="Temperature">{(ids) => <input {...ids} type="number" min={0} max={2} step={0.1} placeholder="as it was" value={temperature} onChange={(event) => setTemperature(event.target.value)} />}</Field>
        <Field label="Seed">{(ids) => <input {...ids} type="number" min={0} step={1} placeholder="as it was" value={seed} onChange={(event) => setSeed(event.target.value)} />}</Field>
      </div>
    </Dialog>
  );
}

export function ReplayView({ trace, id }: { trace: string; id: string }): ReactNode {
  const url = `/v1/replays/${encodeURIComponent(id)}`;
  const replay = useResource(url, (signal) => get<Replay>(url, signal));
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <Link to={path("traces", trace)} className="back"><Icon name="left" size={15} />Trace</Link>
          <h1>Replay</h1>
          {replay.data && <p className="muted">{moment(replay.data.created_at)}</p>}
        </div>
      </header>
      <Loaded of={replay} what="Reading both answers">{(found) => <Both found={found} />}</Loaded>
    </div>
  );
}

function Both({ found }: { found: Replay }): ReactNode {
  const { agreement } = found;
  return (
    <>
      {agreement && (
        <p className="row">
          {agreement.exact ? <Badge tone="good">the same text</Badge> : <Badge tone="warn">the texts differ</Badge>}
          {!agreement.exact && agreement.similarity !== null && <span className="muted">similarity {agreement.similarity.toFixed(2)}</span>}
        </p>
      )}
      {found.notices.map((notice) => <Note key={notice}>{sentence(notice)}</Note>)}
      <div className="sides">
        {found.original ? <SideCard title="As it was" side={found.original} other={found.replay} diff={found.diff} leaves="added" /> : null}
        <SideCard title="Replayed" side={found.replay} other={found.original} diff={found.diff} leaves="removed" />
      </div>
    </>
  );
}

interface SideProps {
  title: string;
  side: Side;
  other: Side | null;
  diff: Replay["diff"];
  // The kind of difference that is not of this side.
  leaves: "added" | "removed";
}

function SideCard({ title, side, other, diff, leaves }: SideProps): ReactNode {
  const rows: [string, string, string][] = [
    ["Model", side.model, other?.model ?? ""],
    ["Tokens", `${count(side.prompt_tokens)} + ${count(side.completion_tokens)}`, other ? `${count(other.prompt_tokens)} + ${count(other.completion_tokens)}` : ""],
    ["Cost", money(side.cost_usd), other ? money(other.cost_usd) : ""],
    ["First token", side.ttft_ms === null ? "–" : milliseconds(side.ttft_ms), ""],
    ["Duration", side.duration_ms === null ? "–" : milliseconds(side.duration_ms), ""],
    ["Finish", side.finish.join(", ") || "–", other?.finish.join(", ") || "–"],
    ["Citations", count(side.citations.length), other ? count(other.citations.length) : ""],
    ["Guard findings", count(side.guards.length), other ? count(other.guards.length) : ""],
  ];
  return (
    <section className="card stack" aria-label={title}>
      <div className="section-head">
        <h2>{title}</h2>
        <Link to={path("traces", side.trace_id)}>Trace</Link>
      </div>
      <p className="replay-text">{diff ? <Words diff={diff} leaves={leaves} /> : side.text ?? <span className="muted">The text is no longer kept.</span>}</p>
      <dl className="pairs">
        {rows.map(([name, value, others]) => (
          <div key={name}><dt>{name}</dt><dd>{others && others !== value ? <strong>{value}</strong> : value}</dd></div>
        ))}
      </dl>
    </section>
  );
}

function Words({ diff, leaves }: { diff: { kind: string; text: string }[]; leaves: "added" | "removed" }): ReactNode {
  return diff.filter((part) => part.kind !== leaves).map((part, index) =>
    part.kind === "added" ? <ins key={index}>{part.text}</ins> : part.kind === "removed" ? <del key={index}>{part.text}</del> : <span key={index}>{part.text}</span>,
  );
}
