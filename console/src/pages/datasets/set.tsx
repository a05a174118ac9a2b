// One data set: a version's rows, filtered, or what differs between two versions.
import { useState, type ReactNode } from "react";
import { get } from "../../api/client";
import { question, type DataSetVersion, type Diff, type Example, type Examples } from "../../api/datasets";
import type { List } from "../../api/types";
import { count, moment } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { go, Link, path, usePlace } from "../../lib/route";
import { Badge, Button, Choice } from "../../ui/controls";
import { Empty, Loaded, Note } from "../../ui/states";

const SPLITS = ["train", "validation", "test"];

export function SetView({ name }: { name: string }): ReactNode {
  const { query } = usePlace();
  const at = `/v1/datasets/${encodeURIComponent(name)}`;
  const versions = useResource(`${at}/versions`, (signal) => get<List<DataSetVersion>>(`${at}/versions?limit=100`, signal));
  const view = query.get("view") === "diff" ? "diff" : "rows";
  const change = (by: Record<string, string>): void => {
    const chosen = new URLSearchParams([...new URLSearchParams(query), ...Object.entries(by)].reduce<[string, string][]>((all, [key, value]) => [...all.filter(([known]) => known !== key), ...(value ? [[key, value] as [string, string]] : [])], []));
    go(`${path("datasets", name)}${chosen.size > 0 ? `?${chosen}` : ""}`, true);
  };
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <p className="small"><Link to={path("datasets")}>Datasets</Link></p>
          <h1>{name}</h1>
        </div>
        <Choice label="View" value={view} onChange={(to) => change({ view: to === "diff" ? "diff" : "" })} options={[{ value: "rows", label: "Rows" }, { value: "diff", label: "Differences" }]} />
      </header>
      <Loaded of={versions} what="Reading the versions">
        {(found) => {
          const number = Number(query.get("version") ?? found.data[0]?.version ?? 1);
          const chosen = found.data.find((each) => each.version === number);
          const picker = (label: string, key: string, value: number): ReactNode => (
            <label>
              {label}
              <select value={value} onChange={(event) => change({ [key]: event.target.value })}>
                {found.data.map((each) => <option key={each.version} value={each.version}>{`${each.version}: ${moment(each.created_at)}`}</option>)}
              </select>
            </label>
          );
          if (view === "diff") {
            const old = Number(query.get("old") ?? Math.max(1, number - 1));
            return (
              <>
                <div className="filters">{picker("From version", "old", old)}{picker("To version", "version", number)}</div>
                <Differences key={`${old} ${number}`} at={at} old={old} now={number} />
              </>
            );
          }
          return (
            <>
              <div className="filters">
                {picker("Version", "version", number)}
                <label>
                  Part
                  <select value={query.get("split") ?? ""} onChange={(event) => change({ split: event.target.value })}>
                    <option value="">all</option>
                    {SPLITS.map((each) => <option key={each}>{each}</option>)}
                  </select>
                </label>
                <label>
                  Words
                  <input defaultValue={query.get("search") ?? ""} placeholder="all" onBlur={(event) => change({ search: event.target.value.trim() })} onKeyDown={(event) => event.key === "Enter" && change({ search: event.currentTarget.value.trim() })} />
                </label>
              </div>
              {chosen && <About version={chosen} />}
              <Rows key={`${number} ${query.get("split") ?? ""} ${query.get("search") ?? ""}`} at={at} version={number} split={query.get("split") ?? ""} search={query.get("search") ?? ""} />
            </>
          );
        }}
      </Loaded>
    </div>
  );
}

function About({ version }: { version: DataSetVersion }): ReactNode {
  return (
    <>
      <p className="muted small">
        {`${count(version.examples)} examples: ${version.added} added, ${version.changed} changed, ${version.removed} removed${version.note ? ` (${version.note})` : ""}.`}
        {version.shares && ` Divided ${SPLITS.map((each) => version.shares![each] ?? 0).join(" / ")}.`} Fingerprint <code>{version.fingerprint.slice(0, 12)}</code>
      </p>
      {version.erased > 0 && <Note tone="warn">{`${version.erased} examples were erased since this version was made.`}</Note>}
    </>
  );
}

function Rows({ at, version, split, search }: { at: string; version: number; split: string; search: string }): ReactNode {
  const [after, setAfter] = useState(0);
  const asked = new URLSearchParams({ version: String(version), limit: "50", after: String(after), ...(split && { split }), ...(search && { search }) });
  const url = `${at}/examples?${asked}`;
  const rows = useResource(url, (signal) => get<Examples>(url, signal));
  return (
    <Loaded of={rows} what="Reading the rows">
      {(found) =>
        found.data.length === 0 ? (
          <Empty icon="columns" title="There are no such examples">Another part, or other words, may have some.</Empty>
        ) : (
          <>
            <div className="scroll" tabIndex={0} role="group" aria-label="Examples">
              <table className="table">
                <thead><tr><th>Question</th><th>Right answer</th><th>Part</th><th>Tags</th><th>Trace</th></tr></thead>
                <tbody>{found.data.map((each) => <Row key={each.id} example={each} />)}</tbody>
              </table>
            </div>
            <div className="row">
              {after > 0 && <Button onClick={() => setAfter(0)}>First</Button>}
              {found.next !== null && <Button onClick={() => setAfter(found.next!)}>More</Button>}
            </div>
          </>
        )
      }
    </Loaded>
  );
}

function Row({ example }: { example: Example }): ReactNode {
  const answer = typeof example.extra.answer === "string" ? example.extra.answer : "";
  return (
    <tr>
      <td className="asked"><span className="question" title={example.id}>{question(example)}</span></td>
      <td className="asked">
        <span className="question">{example.references.join(" / ") || "–"}</span>
        {answer && <span className="muted small question">{`answered: ${answer}`}</span>}
      </td>
      <td><Badge>{example.split}</Badge></td>
      <td className="small wide">{Object.entries(example.tags).map(([name, value]) => `${name}: ${value}`).join(", ")}</td>
      <td className="nowrap">{example.trace_id ? <Link to={path("traces", example.trace_id)} className="mono" title={example.trace_id}>{`${example.trace_id.slice(0, 8)}…`}</Link> : "–"}</td>
    </tr>
  );
}

function Differences({ at, old, now }: { at: string; old: number; now: number }): ReactNode {
  const [after, setAfter] = useState("");
  const url = `${at}/diff?${new URLSearchParams({ old: String(old), new: String(now), limit: "50", ...(after && { after }) })}`;
  const diff = useResource(url, (signal) => get<Diff>(url, signal));
  return (
    <Loaded of={diff} what="Comparing the versions">
      {(found) =>
        found.data.length === 0 ? (
          <Empty icon="check" title="Nothing differs">Both versions have the same examples.</Empty>
        ) : (
          <>
            <div className="scroll" tabIndex={0} role="group" aria-label="Differences">
              <table className="table">
                <thead><tr><th>Change</th><th>Question</th><th>Before</th><th>After</th></tr></thead>
                <tbody>
                  {found.data.map((each) => (
                    <tr key={each.id}>
                      <td>{each.before === null ? <Badge tone="good">added</Badge> : each.after === null ? <Badge tone="bad">removed</Badge> : <Badge tone="accent">changed</Badge>}</td>
                      <td className="asked"><span className="question" title={each.id}>{question(each.after ?? each.before)}</span></td>
                      <td className="small">{told(each.before)}</td>
                      <td className="small">{told(each.after)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
            {found.next !== null && <div><Button onClick={() => setAfter(found.next!)}>More</Button></div>}
          </>
        )
      }
    </Loaded>
  );
}

function told(example: Example | null): string {
  return example === null ? "–" : `${example.split}: ${example.references.join(" / ") || "no right answer"}`;
}
