// One export: its card, files, rows with their traces, copies that were handed out, and erasures.
import type { ReactNode } from "react";
import { get, send } from "../../api/client";
import type { ExportDetails, ExportRow } from "../../api/exports";
import type { List } from "../../api/types";
import { bytes, count, moment, plural } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { Badge, IconButton } from "../../ui/controls";
import { Loaded } from "../../ui/states";
import { Status } from "./status";

export function ExportView({ id }: { id: string }): ReactNode {
  const at = `/v1/lake/exports/${encodeURIComponent(id)}`;
  const found = useResource(at, (signal) => get<ExportDetails>(at, signal));
  return (
    <div className="page">
      <Loaded of={found} what="Reading the export">
        {(one) => (
          <>
            <header className="page-head">
              <div>
                <p className="small"><Link to={path("exports")}>Exports</Link></p>
                <h1>{one.name}</h1>
                <p className="muted">{one.kind} for {one.format}, {plural(one.rows, "row")}, made {moment(one.created_at)}</p>
              </div>
              <Status status={one.status} />
            </header>
            {one.error && <p role="alert" className="bad">{one.error}</p>}
            {one.status === "completed" && (
              <>
                <Card one={one} />
                <Files at={at} one={one} taken={found.reload} />
                <Rows at={at} />
              </>
            )}
            <Erasures one={one} />
          </>
        )}
      </Loaded>
    </div>
  );
}

const SIDES = ["train", "validation", "test"];

function Card({ one }: { one: ExportDetails }): ReactNode {
  const { manifest } = one;
  const split = manifest.split ?? { rows: {}, groups: {} };
  return (
    <section className="stack" aria-label="Card">
      <h2>Card</h2>
      <p>
        Licence: {one.licence}. {one.consent ? <Badge tone="good">consented</Badge> : <Badge tone="warn">without consent</Badge>}
        {manifest.consent?.override && <> Reason: {manifest.consent.override}.</>} Seed {manifest.seed}.
      </p>
      {manifest.cleaning && <p className="muted small">Cleaned by: {manifest.cleaning}</p>}
      <Table label="Split" head={["Split", "Rows", "Groups"]} rows={SIDES.filter((side) => side in split.rows).map((side) => [side, count(split.rows[side] ?? 0), count(split.groups[side] ?? 0)])} />
      <Table label="Cleaning" head={["Step", "Interactions"]} rows={Object.entries(manifest.counts ?? {}).map(([step, taken]) => [step, count(taken)])} />
      <Table label="Origins" head={["Origin", "Rows"]} rows={Object.entries(manifest.origins ?? {}).map(([origin, rows]) => [origin, count(rows)])} />
    </section>
  );
}

function Table({ label, head, rows }: { label: string; head: string[]; rows: string[][] }): ReactNode {
  if (rows.length === 0) return null;
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label={label}>
      <table className="table">
        <thead><tr>{head.map((each, place) => <th key={each} className={place > 0 ? "number" : ""}>{each}</th>)}</tr></thead>
        <tbody>{rows.map((row) => <tr key={row[0]}>{row.map((cell, place) => <td key={head[place]} className={place > 0 ? "number" : ""}>{cell}</td>)}</tr>)}</tbody>
      </table>
    </div>
  );
}

function Files({ at, one, taken }: { at: string; one: ExportDetails; taken: () => void }): ReactNode {
  const save = async (name: string): Promise<void> => {
    const response = await send(`${at}/files/${encodeURIComponent(name)}`);
    const url = URL.createObjectURL(await response.blob());
    const link = document.createElement("a");
    link.href = url;
    link.download = name;
    link.click();
    URL.revokeObjectURL(url);
    taken();
  };
  const handed = new Set(one.copies.map((each) => each.sha256));
  return (
    <section className="stack" aria-label="Files">
      <h2>Files</h2>
      <div className="scroll" tabIndex={0} role="group" aria-label="Files">
        <table className="table">
          <thead><tr><th>File</th><th className="number">Size</th><th>sha256</th><th>Handed out</th><th><span className="hidden">Download</span></th></tr></thead>
          <tbody>
            {one.files.map((file) => (
              <tr key={file.name}>
                <td className="nowrap">{file.name}</td>
                <td className="number nowrap">{bytes(file.bytes)}</td>
                <td className="mono" title={file.sha256}>{file.sha256.slice(0, 12)}…</td>
                <td>{handed.has(file.sha256) ? "yes" : "no"}</td>
                <td><IconButton icon="file" label={`Download ${file.name}`} onClick={() => void save(file.name)} /></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Rows({ at }: { at: string }): ReactNode {
  const rows = useResource(`${at}/rows`, (signal) => get<List<ExportRow>>(`${at}/rows?limit=20`, signal));
  return (
    <section className="stack" aria-label="Lineage">
      <h2>Rows and their traces</h2>
      <Loaded of={rows} what="Reading the rows">
        {(found) => (
          <div className="scroll" tabIndex={0} role="group" aria-label="Rows">
            <table className="table">
              <thead><tr><th>Row</th><th>Split</th><th>Group</th><th>Origin</th><th>Traces</th><th className="number">Events</th></tr></thead>
              <tbody>
                {found.data.map((row) => (
                  <tr key={`${row.split} ${row.line}`}>
                    <td className="nowrap">line {row.line}</td>
                    <td>{row.split}</td>
                    <td>{row.group}</td>
                    <td>{row.origin}</td>
                    <td className="nowrap">
                      {row.traces.map((trace) => <Link key={trace} to={path("traces", trace)} className="mono" title={trace}>{trace.slice(0, 8)}… </Link>)}
                    </td>
                    <td className="number">{row.event_ids.length}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Loaded>
    </section>
  );
}

function Erasures({ one }: { one: ExportDetails }): ReactNode {
  if (one.erasures.length === 0) return null;
  return (
    <section className="stack" aria-label="Erasures">
      <h2>Erasures</h2>
      <ul>
        {one.erasures.map((each) => (
          <li key={each.at}>
            {moment(each.at)}: {plural(each.rows, "row")} erased.{" "}
            {each.copies.length === 0 ? "No copies were downloaded." : `Copies that still contain them: ${each.copies.map((copy) => `${copy.name} (${copy.sha256.slice(0, 12)}…)`).join(", ")}.`}
          </li>
        ))}
      </ul>
    </section>
  );
}
