// Live: what the server is doing at this moment, read from its metrics every two seconds.
import { useEffect, useState, type ReactNode } from "react";
import { ApiError, get, send } from "../../api/client";
import type { Replicas } from "../../api/types";
import { count, milliseconds, short } from "../../lib/format";
import { matching, parse, quantile, rate, sum, values, type Sample } from "../../lib/metrics";
import { Line } from "../../ui/chart";
import { Badge, Button } from "../../ui/controls";
import { Empty, Failed, Loading, Note } from "../../ui/states";
import { ReplicaTables } from "./replicas";

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
          <p className="muted">The last three minutes, updated every two seconds.</p>
        </div>
        <Button icon={paused ? "play" : "pause"} onClick={() => setPaused(!paused)}>{paused ? "Resume" : "Pause"}</Button>
      </header>
      {error && pages.length > 0 && <Note tone="bad">{error.message}</Note>}
      {pages.length === 0 ? (
        error ? <Failed error={error} /> : <Loading what="Reading the metrics" />
      ) : (
        <>
          <Charts pages={pages} />
          <Engines samples={pages.at(-1)!.samples} />
          {replicas && <ReplicaTables found={replicas} onChange={setReplicas} />}
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

const gauge = (...names: string[]): Of => (_, after) => names.reduce((all, name) => all + sum(after, `mainspring_engine_${name}`), 0);
const seconds = (value: number): string => milliseconds(1000 * value);
const fraction = (most: number) => (value: number): string => value.toFixed(value > 0 && value < 10 ? most : 0);
const QUEUES = ["queued_interactive", "queued_batch", "queued_background"];
const LATEST = "last ten seconds";

interface Chart {
  label: string;
  hint: string;
  of: Of;
  format: (value: number) => string;
  max?: number;
}

const CHARTS: Chart[] = [
  { label: "Output tokens per second", hint: "all models", of: (b, a, s) => rate(b, a, s, "mainspring_tokens_total", { direction: "output" }), format: fraction(1) },
  { label: "Requests per second", hint: "answered, refused or cancelled", of: (b, a, s) => rate(b, a, s, "mainspring_requests_total"), format: fraction(2) },
  { label: "Errors per second", hint: "all kinds", of: (b, a, s) => rate(b, a, s, "mainspring_errors_total"), format: fraction(2), max: 1 },
  { label: "Time to first token, median", hint: LATEST, of: (b, a) => quantile(b, a, "mainspring_ttft_seconds", 0.5), format: seconds },
  { label: "Time to first token, p95", hint: LATEST, of: (b, a) => quantile(b, a, "mainspring_ttft_seconds", 0.95), format: seconds },
  { label: "Between tokens, p95", hint: `streams, ${LATEST}`, of: (b, a) => quantile(b, a, "mainspring_inter_token_seconds", 0.95), format: seconds },
  { label: "Running", hint: "calls in the engines", of: gauge("running"), format: count, max: 4 },
  { label: "Queued", hint: "calls before and in the engines", of: gauge("waiting", ...QUEUES), format: count, max: 4 },
  { label: "Wait in the queue, p95", hint: LATEST, of: (b, a) => quantile(b, a, "mainspring_queue_seconds", 0.95), format: seconds },
  { label: "KV cache in use", hint: "the fullest engine", of: (_, after) => Math.max(0, ...matching(after, "mainspring_engine_kv_used_fraction").map((sample) => sample.value)), format: (value) => `${(100 * value).toFixed(0)} %`, max: 1 },
  { label: "Cache hits", hint: "of answers looked up", of: hits, format: (value) => `${(100 * value).toFixed(0)} %`, max: 1 },
  { label: "Guard findings per second", hint: "all guards", of: (b, a, s) => rate(b, a, s, "mainspring_guard_findings_total"), format: fraction(2), max: 1 },
];

// Of what was looked up in the answer caches, the share that was there.
function hits(before: Sample[], after: Sample[], span: number): number | null {
  const hit = rate(before, after, span, "mainspring_cache_total", { outcome: "hit" });
  const all = hit + rate(before, after, span, "mainspring_cache_total", { outcome: "miss" });
  return all > 0 ? hit / all : null;
}

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
            <p className="bars-ends muted small"><span>3 minutes ago</span><span>{Number.isFinite(most) ? `max. ${chart.format(most)}` : "nothing yet"}</span><span>now</span></p>
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
          <thead><tr><th>Engine</th><th>State</th><th className="number">Running</th><th className="number">Queued</th><th className="number">KV cache</th><th className="number">Restarts</th></tr></thead>
          <tbody>
            {names.map((name) => {
              const kv = of("kv_used_fraction", name);
              return (
                <tr key={name}>
                  <td>{name}</td>
                  <td>{of("up", name) === 1 ? <Badge tone="good">up</Badge> : <Badge tone="bad">down</Badge>}</td>
                  <td className="number">{short(of("running", name) ?? 0)}</td>
                  <td className="number">{short((of("waiting", name) ?? 0) + QUEUES.reduce((all, queue) => all + (of(queue, name) ?? 0), 0))}</td>
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
