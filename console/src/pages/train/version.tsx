// One version: what it was measured at, its card, what it is made of, and its service.
import { useState, type ReactNode } from "react";
import { ApiError, get, may, post, remove, send } from "../../api/client";
import type { MadeVariant } from "../../api/improve";
import { digits, type WholeVersion } from "../../api/train";
import { bytes, count, moment, plural } from "../../lib/format";
import { Markdown } from "../../lib/markdown";
import { useResource } from "../../lib/resource";
import { go, Link, path } from "../../lib/route";
import { useMe } from "../../session";
import { Button, IconButton } from "../../ui/controls";
import { Dialog } from "../../ui/dialog";
import { Loaded, Note } from "../../ui/states";
import { toast } from "../../ui/toast";
import { lineageOf } from "../improve/made";
import { State } from "./versions";

interface Lineage {
  data: { id: string; kind: string }[];
  named?: Record<string, string>;
  has_more: boolean;
}

export function VersionView({ label }: { label: string }): ReactNode {
  const url = `/v1/training/versions/${encodeURIComponent(label)}`;
  const found = useResource(url, (signal) => get<WholeVersion>(url, signal));
  const [busy, setBusy] = useState(false);
  const [deleting, setDeleting] = useState(false);
  const [withdrawing, setWithdrawing] = useState(false);
  const act = async (what: "serve" | "withdraw"): Promise<void> => {
    setBusy(true);
    try {
      await post(`${url}/${what}`, {});
    } catch (error) {
      toast((error as ApiError).message);
    }
    setBusy(false);
    found.reload();
  };
  const erase = async (): Promise<void> => {
    try {
      await remove(url);
      go(path("train", "models"));
    } catch (error) {
      toast((error as ApiError).message);
    }
  };
  return (
    <div className="page">
      <Loaded of={found} what="Reading the version">
        {(version) => (
          <>
            <header className="page-head">
              <div>
                <p className="small"><Link to={path("train", "models")}>Training</Link></p>
                <h1 className="breaking">{version.id}</h1>
                <p className="muted small"><State of={version} />{` ${version.makes}, ${moment(version.created_at)}, by `}<Link to={path("train", "jobs", version.job)}>{version.recipe}</Link></p>
              </div>
              <span className="row">
                {version.servable && !version.served && !version.withdrawn && <Button icon="play" disabled={busy} onClick={() => void act("serve")}>{busy ? "Converting …" : "Serve"}</Button>}
                {!version.withdrawn && (version.served || !version.servable) && <Button icon="stop" disabled={busy} onClick={() => setWithdrawing(true)}>Withdraw</Button>}
                <Button icon="trash" onClick={() => setDeleting(true)}>Delete</Button>
                <IconButton icon="refresh" label="Refresh" onClick={found.reload} disabled={found.loading} />
              </span>
            </header>
            {version.served && <p>Answers as <code className="breaking">{version.served}</code></p>}
            {version.problem && <Note tone="bad">{version.problem}</Note>}
            {version.stale && <Note tone="bad">{version.stale}</Note>}
            {version.notes.map((each) => <Note key={each}>{each}</Note>)}
            <Figures of={version} />
            <Sources url={url} of={version} />
            <Use label={version.id} />
            <Files of={version} />
            <Card url={url} />
            {withdrawing && (
              <Dialog title="Withdraw the version" onClose={() => setWithdrawing(false)}>
                <div className="stack"><p>It answers no more, for good. Applications that use it go back to what they used before. Its files stay.</p><div className="row"><Button kind="primary" onClick={() => { setWithdrawing(false); void act("withdraw"); }}>Withdraw</Button></div></div>
              </Dialog>
            )}
            {deleting && (
              <Dialog title="Delete the version" onClose={() => setDeleting(false)}>
                <div className="stack"><p>It is taken out of service, and its files are deleted.</p><div className="row"><Button kind="primary" onClick={() => void erase()}>Delete</Button></div></div>
              </Dialog>
            )}
          </>
        )}
      </Loaded>
    </div>
  );
}

function Figures({ of }: { of: WholeVersion }): ReactNode {
  if (of.figures.length === 0) return null;
  const said = (value: number | null | undefined): string => (value === null || value === undefined ? "–" : digits(value));
  return (
    <section className="stack" aria-label="Figures">
      <h2>Measured on what it was not trained on</h2>
      <div className="scroll" tabIndex={0} role="group" aria-label="Figures before and after">
        <table className="table compact">
          <thead><tr><th>Measure</th><th className="number">Before</th><th className="number">After</th><th className="number">95 %</th><th className="number">Rows</th></tr></thead>
          <tbody>
            {of.figures.map((each) => (
              <tr key={each.name}>
                <td>{each.name.replaceAll("_", " ")}</td>
                <td className="number">{said(each.before)}</td>
                <td className="number">{said(each.after)}</td>
                <td className="number nowrap">{each.interval ? `${digits(each.interval[0])} to ${digits(each.interval[1])}` : "–"}</td>
                <td className="number">{each.n === null || each.n === undefined ? "–" : count(each.n)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Sources({ url, of }: { url: string; of: WholeVersion }): ReactNode {
  const found = useResource(`${url}/lineage`, (signal) => get<Lineage>(`${url}/lineage?limit=200`, signal));
  const kinds = new Map<string, string[]>();
  for (const each of found.data?.data ?? []) kinds.set(each.kind, [...(kinds.get(each.kind) ?? []), each.id]);
  return (
    <section className="stack" aria-label="Made of">
      <h2>Made of</h2>
      <dl className="pairs columns">
        <div><dt>Base</dt><dd className="breaking">{of.base ?? "nothing"}</dd></div>
        <div><dt>Export</dt><dd className="breaking">{of.export ? <Link to={path("exports", of.export)}>{of.export}</Link> : "–"}</dd></div>
        {Object.entries(found.data?.named ?? {}).map(([option, label]) => <div key={option}><dt>{option}</dt><dd className="breaking"><Link to={path("train", "models", label)}>{label}</Link></dd></div>)}
        {[...kinds].map(([kind, ids]) => (
          <div key={kind}><dt>{`${count(ids.length)}${found.data?.has_more ? " or more" : ""} of kind ${kind}`}</dt><dd className="breaking">{kind === "trace" ? ids.slice(0, 3).map((id) => <span key={id}><Link to={path("traces", id)}>{id.slice(0, 8)}</Link> </span>) : ids[0]}</dd></div>
        ))}
      </dl>
    </section>
  );
}

// What the loop did with it, if it made it; nothing else is known of its use.
function Use({ label }: { label: string }): ReactNode {
  const improves = may(useMe(), "improve");
  const url = `/v1/improve/lineage/variants/${encodeURIComponent(label)}?limit=1`;
  const { data } = useResource(improves ? url : "", async (signal) => (improves ? await get<MadeVariant>(url, signal) : null));
  if (!data) return null;
  return (
    <section className="stack" aria-label="In the loop">
      <h2>In the loop</h2>
      <dl className="pairs columns">
        <div><dt>Made for</dt><dd className="breaking">{data.application}</dd></div>
        <div><dt>Campaign</dt><dd><Link to={path("improve", data.campaign)} className="mono breaking">{data.campaign}</Link></dd></div>
        <div><dt>Promoted</dt><dd>{data.promoted_at === null ? "never" : moment(data.promoted_at)}</dd></div>
        {data.withdrawn_at !== null && <div><dt>Withdrawn</dt><dd>{`${moment(data.withdrawn_at)}${data.reason ? `: ${data.reason}` : ""}`}</dd></div>}
        <div><dt>Lineage</dt><dd><Link to={lineageOf(label)}>{`${plural(data.sources?.total ?? 0, "answer")} behind it, ${plural(data.answers.total, "answer")} by it`}</Link></dd></div>
      </dl>
    </section>
  );
}

function Files({ of }: { of: WholeVersion }): ReactNode {
  if (of.files.length === 0) return null;
  return (
    <section className="stack" aria-label="Files">
      <h2>Files</h2>
      <dl className="pairs columns">{of.files.map((each) => <div key={each.name}><dt className="mono breaking">{each.name}</dt><dd>{bytes(each.bytes)}</dd></div>)}</dl>
    </section>
  );
}

function Card({ url }: { url: string }): ReactNode {
  const found = useResource(`${url}/card`, async (signal) => (await send(`${url}/card`, { signal })).text());
  return (
    <section className="stack" aria-label="Card">
      <h2>Card</h2>
      <Loaded of={found} what="Reading the card">{(text) => <div className="card prose"><Markdown text={text} /></div>}</Loaded>
    </section>
  );
}
