// Live: what the server is doing at this moment, read from its metrics every two seconds.
import { useEffect, useState, type ReactNode } from "react";
import { ApiError, get, send } from "../../api/client";
import type { Replicas } from "../../api/types";
import { count, milliseconds, short } from "../../lib/format";
import { matching, parse, quantile, rate, sum, values, type Sample } from "../../lib/metrics";
import { Line } from "../../ui/chart";
import { Badge, Button } from "../../ui/controls";
import { Empty, Failed, Loading, Note } from "../../ui/states";

const EVERY_MS = 2000;
const KEPT = 90;
// Rates over one scrape jump about; quantiles of a few requests do too.
const SPAN = 5;

interface Page {
  at: number;
  samples: Sample[];
}

export default function LivePage(): ReactNode {
  const [pages, setPages] = useState<Page[]>([]);
  const [replicas, setReplicas] = useState<Replicas>();
  const [error, setError] = useState<ApiError>();
  const [paused, setPaused] = useState(false);
  useEffect(() => {
    if (paused) return undefined;
    const stopping = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const look = async (): Promise<void> => {
      try {
        const [page, found] = await Promise.all([
          send("/metrics", { signal: stopping.signal }).then((response) => response.text()),
          get<Replicas>("/v1/replicas", stopping.signal),
        ]);
        setPages((all) => [...all, { at: performance.now() / 1000, samples: parse(page) }].slice(-KEPT - SPAN));
        setReplicas(found);
        setError(undefined);
      } catch (problem) {
        if (stopping.signal.aborted) return;
        setError(problem as ApiError);
      }
      if (!stopping.signal.aborted) timer = setTimeout(() => void look(), document.hidden ? 5 * EVERY_MS : EVERY_MS);
    };
    void look();
    return () => {
      stopping.abort();
      clearTimeout(timer);
    };
  }, [paused]);

  return (
    <div className="page">
      <header className="page-head">
        <div>
          <h1>Live</h1>
          <p className="muted">The last three minutes, looked at every two seconds.</p>
        </div>
        <Button onClick={() => setPaused(!paused)}>{paused ? "Go on" : "Pause"}</Button>
      </header>
      {error && pages.length > 0 && <Note tone="bad">{error.message}</Note>}
      {pages.length === 0 ? (
        error ? <Failed error={error} /> : <Loading what="Reading the metrics" />
      ) : (
        <>
          <Charts pages={pages} />
          <Engines samples={pages.at(-1)!.samples} />
          {replicas && <ReplicaTables found={replicas} />}
        </>
      )}
    </div>
  );
}

type Of = (before: Sample[], after: Sample[], seconds: number) => number | null;

function series(pages: Page[], of: Of): (number | null)[] {
  return pages.map((page, index) => {
    const before = pages[Math.max(0, index - SPAN)]!;
    return before === page ? null : of(before.samples, page.samples, page.at - before.at);
  });
}

const engine = (name: string): Of => (_, after) => sum(after, `mainspring_engine_${name}`);
const seconds = (value: number): string => milliseconds(1000 * value);

const CHARTS: { label: string; hint: string; of: Of; format: (value: number) => string; max?: number }[] = [
  { label: "Tokens a second", hint: "written by all models", of: (b, a, s) => rate(b, a, s, "mainspring_tokens_total", { direction: "output" }), format: (value) => value.toFixed(value > 0 && value < 10 ? 1 : 0) },
  { label: "Requests a second", hint: "answered, refused or given up", of: (b, a, s) => rate(b, a, s, "mainspring_requests_total"), format: (value) => value.toFixed(value > 0 && value < 10 ? 2 : 0) },
  { label: "Time to first word, median", hint: "of the last ten seconds", of: (b, a) => quantile(b, a, "mainspring_ttft_seconds", 0.5), format: seconds },
  { label: "Time to first word, p95", hint: "of the last ten seconds", of: (b, a) => quantile(b, a, "mainspring_ttft_seconds", 0.95), format: seconds },
  { label: "Between two words, p95", hint: "of streams", of: (b, a) => quantile(b, a, "mainspring_inter_token_seconds", 0.95), format: seconds },
  { label: "Running", hint: "calls in the engines", of: engine("running"), format: count, max: 4 },
  { label: "Waiting", hint: "calls queued in the engines", of: engine("waiting"), format: count, max: 4 },
  { label: "KV memory in use", hint: "the fullest engine", of: (_, after) => Math.max(0, ...matching(after, "mainspring_engine_kv_used_fraction").map((sample) => sample.value)), format: (value) => `${(100 * value).toFixed(0)} %`, max: 1 },
  { label: "Errors a second", hint: "of all kinds", of: (b, a, s) => rate(b, a, s, "mainspring_errors_total"), format: (value) => value.toFixed(value > 0 ? 2 : 0), max: 1 },
];

function Charts({ pages }: { pages: Page[] }): ReactNode {
  return (
    <div className="cards">
      {CHARTS.map((chart) => {
        const all = series(pages, chart.of);
        const now = all.at(-1) ?? null;
        const most = Math.max(...all.filter((value) => value !== null));
        const padded = [...Array<null>(Math.max(0, KEPT - all.length)).fill(null), ...all.slice(-KEPT)];
        return (
          <section key={chart.label} className="card chart-card" aria-label={chart.label}>
            <div>
              <h2>{chart.label}</h2>
              <p className="muted small">{chart.hint}</p>
            </div>
            <p className="chart-value">{now === null ? "–" : chart.format(now)}</p>
            <Line label={chart.label} values={padded} format={chart.format} max={chart.max} />
            <p className="bars-ends muted small"><span>3 minutes ago</span><span>{Number.isFinite(most) ? `at most ${chart.format(most)}` : "nothing yet"}</span><span>now</span></p>
          </section>
        );
      })}
    </div>
  );
}

function Engines({ samples }: { samples: Sample[] }): ReactNode {
  const names = values(samples, "mainspring_engine_up", "engine");
  if (names.length === 0) return <Empty icon="live" title="No engine runs here" />;
  const of = (name: string, engine_: string): number | undefined => matching(samples, `mainspring_engine_${name}`, { engine: engine_ })[0]?.value;
  return (
    <section className="stack" aria-label="Engines">
      <h2>Engines</h2>
      <div className="scroll" tabIndex={0} role="group" aria-label="Engines">
        <table className="table">
          <thead><tr><th>Engine</th><th>State</th><th className="number">Running</th><th className="number">Waiting</th><th className="number">KV memory</th><th className="number">Restarts</th></tr></thead>
          <tbody>
            {names.map((name) => {
              const kv = of("kv_used_fraction", name);
              return (
                <tr key={name}>
                  <td>{name}</td>
                  <td>{of("up", name) === 1 ? <Badge tone="good">up</Badge> : <Badge tone="bad">down</Badge>}</td>
                  <td className="number">{short(of("running", name) ?? 0)}</td>
                  <td className="number">{short(of("waiting", name) ?? 0)}</td>
                  <td className="number">{kv === undefined ? "–" : `${(100 * kv).toFixed(1)} %`}</td>
                  <td className="number">{short(of("restarts", name) ?? 0)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function ReplicaTables({ found }: { found: Replicas }): ReactNode {
  return (
    <>
      {found.models.map((model) => (
        <section key={model.model} className="stack" aria-label={`Replicas of ${model.model}`}>
          <h2>Replicas of {model.model}</h2>
          <div className="scroll" tabIndex={0} role="group" aria-label={`Replicas of ${model.model}`}>
            <table className="table">
              <thead><tr>{Object.keys(model.replicas[0] ?? {}).map((name) => <th key={name}>{name.replaceAll("_", " ")}</th>)}</tr></thead>
              <tbody>{model.replicas.map((replica) => <tr key={replica.name}>{Object.entries(replica).map(([name, value]) => <td key={name}>{told(value)}</td>)}</tr>)}</tbody>
            </table>
          </div>
        </section>
      ))}
      {found.routes.map((route) => (
        <section key={route.name} className="stack" aria-label={`Route ${route.name}`}>
          <h2>Route {route.name}</h2>
          <div className="scroll" tabIndex={0} role="group" aria-label={`Route ${route.name}`}>
            <table className="table">
              <thead><tr><th>Arm</th><th>Model</th><th className="number">Weight</th><th className="number">Requests</th></tr></thead>
              <tbody>{route.arms.map((arm) => <tr key={arm.name}><td>{arm.name}</td><td>{arm.model}</td><td className="number">{arm.weight}</td><td className="number">{count(arm.given)}</td></tr>)}</tbody>
            </table>
          </div>
        </section>
      ))}
    </>
  );
}

function told(value: unknown): string {
  if (typeof value === "number") return Number.isInteger(value) ? count(value) : value.toPrecision(3);
  if (typeof value === "boolean") return value ? "yes" : "no";
  return value === null || value === undefined ? "–" : String(value);
}
