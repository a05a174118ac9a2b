// Costs: what was spent on what and by whom, what caches and routing saved, and the budgets.
import { useMemo, useState, type ReactNode } from "react";
import { get, may } from "../../api/client";
import type { CostLine, Key, List } from "../../api/types";
import { byDay, savings, since, totals, type Totals } from "../../lib/costs";
import { count, money, plural, share, short } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Bars } from "../../ui/chart";
import { useMe } from "../../session";
import { Choice, IconButton } from "../../ui/controls";
import { Empty, Loaded, Note } from "../../ui/states";
import { Budgets } from "./budgets";

type Days = "7" | "30" | "90";
type Whose = "own" | "all";
type Measure = "cost" | "tokens" | "calls";

interface Lines {
  days: CostLine[];
  splits: SplitProps[];
  keys?: Map<string, string>;
}

function lines(query: string, signal: AbortSignal): Promise<CostLine[]> {
  return get<List<CostLine>>(`/v1/costs?${query}`, signal).then((list) => list.data);
}

async function ofTenant(from: number, signal: AbortSignal): Promise<Lines> {
  const by = (name: string): Promise<CostLine[]> => lines(`since=${from}&by=${name}`, signal);
  const [days, model, application, key, named] = await Promise.all([
    by("day"), by("model"), by("application"), by("key"),
    get<List<Key>>("/v1/keys", signal),
  ]);
  const keys = new Map(named.data.map((each) => [each.id, each.name]));
  return {
    days,
    keys,
    splits: [
      { title: "By model", lines: model, of: (line) => line.model },
      { title: "By application", lines: application, of: (line) => line.application },
      { title: "By key", lines: key, of: (line) => line.key, names: keys },
    ],
  };
}

// What others call their keys and applications is theirs: of all tenants there are sums by tenant and model alone.
async function ofAll(from: number, own: string, signal: AbortSignal): Promise<Lines> {
  const by = (name: string): Promise<CostLine[]> => lines(`all_tenants=true&since=${from}&by=${name}`, signal);
  const [days, tenant, model] = await Promise.all([by("day"), by("tenant"), by("model")]);
  return {
    days,
    splits: [
      { title: "By tenant", lines: tenant, of: (line) => line.tenant, names: new Map([[own, `${own} (this one)`]]) },
      { title: "By model", lines: model, of: (line) => line.model },
    ],
  };
}

export default function CostsPage(): ReactNode {
  const me = useMe();
  const [days, setDays] = useState<Days>("30");
  const [whose, setWhose] = useState<Whose>("own");
  const now = useMemo(() => Date.now() / 1000, []);
  const from = since(Number(days), now);
  const costs = useResource(`costs ${whose} ${from}`, (signal) => (whose === "all" ? ofAll(from, me.tenant, signal) : ofTenant(from, signal)));
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <h1>Costs</h1>
          <p className="muted">{whose === "all" ? "Every call of a model by every tenant of this server." : "Every call of a model, priced when it was made."}</p>
        </div>
        <div className="row">
          {may(me, "operate") && <Choice label="Whose" value={whose} onChange={setWhose} options={[{ value: "own", label: "This tenant" }, { value: "all", label: "All tenants" }]} />}
          <Choice label="Period" value={days} onChange={setDays} options={[{ value: "7", label: "7 days" }, { value: "30", label: "30 days" }, { value: "90", label: "90 days" }]} />
          <IconButton icon="refresh" label="Refresh" onClick={costs.reload} disabled={costs.loading} />
        </div>
      </header>
      <Loaded of={costs} what="Adding up">
        {(found) => <Spent found={found} days={Number(days)} now={now} />}
      </Loaded>
      {whose === "own" && <Budgets names={costs.data?.keys} />}
    </div>
  );
}

function Spent({ found, days, now }: { found: Lines; days: number; now: number }): ReactNode {
  const [measure, setMeasure] = useState<Measure>("cost");
  const all = totals(found.days);
  if (all.calls === 0 && all.hits === 0) {
    return <Empty icon="costs" title="Nothing was spent in this time">Calls appear here after you ask a model.</Empty>;
  }
  const said = (value: number): string => (measure === "cost" ? money(value) : measure === "tokens" ? `${short(value)} tokens` : plural(value, "call"));
  const bars = byDay(found.days, days, now).map(({ day, lines }) => {
    const sums = totals(lines);
    return { name: day, value: sums[measure], said: said(sums[measure]) };
  });
  return (
    <>
      <dl className="figures large">
        <div><dt>Spent</dt><dd>{money(all.cost)}<small>{all.calls > 0 ? `${money(all.cost / all.calls)} per call` : "no calls"}</small></dd></div>
        <div><dt>Saved by caches</dt><dd>{money(all.saved)}<small>{all.saved > 0 ? `${share(all.saved, all.saved + all.cost)} of the cost without them` : "nothing so far"}</small></dd></div>
        <div><dt>Saved by routing</dt><dd>{all.routed > 0 && all.routed === all.unknown ? "unknown" : money(all.routing)}<small>{routed(all)}</small></dd></div>
        <div><dt>Model calls</dt><dd>{short(all.calls)}<small>{plural(all.hits, "answer")} from caches</small></dd></div>
        <div><dt>Tokens</dt><dd>{short(all.tokens)}<small>{short(all.tokens / days)} per day</small></dd></div>
      </dl>
      {all.unpriced > 0 && <Note tone="warn">{plural(all.unpriced, "call is", "calls are")} of models without a price, and counted as nothing. <code>prices.models</code> sets one.</Note>}
      {all.unknown > 0 && <Note tone="warn">What routing saved on {plural(all.unknown, "answer")} is unknown: a model of <code>auto</code> has no price. <code>prices.models</code> sets one, <code>prices.per_hour</code> one for this machine.</Note>}
      <section className="card stack" aria-label="By day">
        <div className="section-head">
          <h2>By day</h2>
          <Choice label="Measure" value={measure} onChange={setMeasure} options={[{ value: "cost", label: "Cost" }, { value: "tokens", label: "Tokens" }, { value: "calls", label: "Calls" }]} />
        </div>
        <div>
          <Bars label="By day" bars={bars} />
          <div className="bars-ends muted small"><span>{bars[0]!.name}</span><span>max. {said(Math.max(...bars.map((bar) => bar.value)))}</span><span>{bars.at(-1)!.name}</span></div>
        </div>
      </section>
      <div className="two">
        {found.splits.map((split) => <Split key={split.title} {...split} />)}
      </div>
    </>
  );
}

// Of what an answer of `auto` would have cost with always its large model.
function routed(all: Totals): string {
  if (all.routed === 0) return "no answer of auto so far";
  const known = all.routed - all.unknown;
  return known === all.routed ? `${plural(known, "answer")} of auto, against its large model` : `${count(known)} of ${plural(all.routed, "answer")} of auto`;
}

interface SplitProps {
  title: string;
  lines: CostLine[];
  of: (line: CostLine) => string | undefined;
  names?: Map<string, string>;
}

function said(usd: number | undefined): string {
  return usd === undefined ? "unknown" : money(usd);
}

function Split({ title, lines, of, names }: SplitProps): ReactNode {
  const whole = totals(lines);
  // Where nothing has a price, what was read and written tells who uses how much.
  const weight = (line: CostLine): number => (whole.cost > 0 ? line.cost_usd : line.prompt_tokens + line.completion_tokens);
  const rows = [...lines].sort((a, b) => weight(b) - weight(a));
  const most = Math.max(...rows.map(weight)) || 1;
  return (
    <section className="card flush" aria-label={title}>
      <div className="scroll" tabIndex={0} role="group" aria-label={title}>
        <table className="table split">
          <thead><tr><th>{title}</th><th className="number">Calls</th><th className="number">Tokens</th><th className="number">Saved</th><th className="number">Cost</th></tr></thead>
          <tbody>
            {rows.map((line) => {
              const name = of(line) ?? "";
              return (
                <tr key={name}>
                  <td>
                    {names?.get(name) ?? (name || "none named")}
                    <span className="meter" role="presentation" style={{ display: "block", marginTop: 4 }}><span style={{ width: `${(100 * weight(line)) / most}%` }} /></span>
                  </td>
                  <td className="number">{count(line.calls)}</td>
                  <td className="number">{short(line.prompt_tokens + line.completion_tokens)}</td>
                  <td className="number">{said(savings(line))}</td>
                  <td className="number">{money(line.cost_usd)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </section>
  );
}
