// Small charts as SVG: a line over time, and bars a day.
import { useId, type ReactNode } from "react";

interface LineProps {
  label: string;
  values: (number | null)[];
  format: (value: number) => string;
  max?: number;
}

const WIDTH = 300;
const HEIGHT = 72;

export function Line({ label, values, format, max }: LineProps): ReactNode {
  const id = useId();
  const known = values.filter((value): value is number => value !== null);
  const top = Math.max(max ?? 0, ...known) || 1;
  const step = WIDTH / Math.max(1, values.length - 1);
  const y = (value: number): number => HEIGHT - 2 - (value / top) * (HEIGHT - 6);
  const runs: string[] = [];
  let run: string[] = [];
  values.forEach((value, index) => {
    if (value !== null) run.push(`${(index * step).toFixed(1)},${y(value).toFixed(1)}`);
    if (value === null || index === values.length - 1) {
      if (run.length > 0) runs.push(run.join(" "));
      run = [];
    }
  });
  const last = known.at(-1);
  return (
    <svg className="line-chart" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-labelledby={id}>
      <title id={id}>
        {`${label}: ${last === undefined ? "nothing yet" : `now ${format(last)}, at most ${format(Math.max(...known))}`}`}
      </title>
      <line className="grid" x1="0" x2={WIDTH} y1={HEIGHT - 1.5} y2={HEIGHT - 1.5} />
      {runs.map((points, index) =>
        points.includes(" ") ? (
          <g key={index}>
            <polygon className="area" points={`${points.split(",")[0]},${HEIGHT - 2} ${points} ${points.split(" ").at(-1)!.split(",")[0]},${HEIGHT - 2}`} />
            <polyline points={points} />
          </g>
        ) : (
          <circle key={index} cx={points.split(",")[0]} cy={points.split(",")[1]} r="2" />
        ),
      )}
    </svg>
  );
}

export interface Bar {
  name: string;
  value: number;
  said: string;
}

export function Bars({ label, bars }: { label: string; bars: Bar[] }): ReactNode {
  const top = Math.max(...bars.map((bar) => bar.value)) || 1;
  return (
    <div className="bars" role="img" aria-label={`${label}: ${bars.filter((bar) => bar.value > 0).map((bar) => `${bar.name} ${bar.said}`).join(", ") || "nothing"}`}>
      {bars.map((bar) => (
        <div key={bar.name} className="bar" title={`${bar.name}: ${bar.said}`}>
          <div style={{ height: `${Math.max(bar.value > 0 ? 2 : 0, (100 * bar.value) / top)}%` }} />
        </div>
      ))}
    </div>
  );
}

export interface Series {
  name: string;
  title: string;
  tone: "good" | "bad" | "drop" | "warn" | "accent" | "plain";
}

interface StackedProps {
  label: string;
  slots: { name: string; counts: Map<string, number> }[];
  series: Series[];
}

// Bars of several parts, with a legend of those that occur.
export function Stacked({ label, slots, series }: StackedProps): ReactNode {
  const sum = (counts: Map<string, number>): number => series.reduce((all, each) => all + (counts.get(each.name) ?? 0), 0);
  const top = Math.max(1, ...slots.map((slot) => sum(slot.counts)));
  const totals = series.map((each) => ({ ...each, total: slots.reduce((all, slot) => all + (slot.counts.get(each.name) ?? 0), 0) }));
  const there = totals.filter((each) => each.total > 0);
  const told = (counts: Map<string, number>): string =>
    there.filter((each) => counts.get(each.name)).map((each) => `${counts.get(each.name)} ${each.title}`).join(", ") || "nothing";
  return (
    <figure className="stacked">
      <div className="bars" role="img" aria-label={`${label}: ${there.map((each) => `${each.total} ${each.title}`).join(", ") || "nothing"}`}>
        <span className="bars-top muted small" aria-hidden="true">{top}</span>
        {slots.map((slot, index) => (
          <div key={index} className="bar" title={`${slot.name}: ${told(slot.counts)}`}>
            {[...there].reverse().map((each) => {
              const value = slot.counts.get(each.name) ?? 0;
              return value > 0 ? <div key={each.name} className={`part ${each.tone}`} style={{ height: `${Math.max(1.5, (100 * value) / top)}%` }} /> : null;
            })}
          </div>
        ))}
      </div>
      <div className="bars-ends muted small"><span>{slots[0]?.name}</span><span>{slots.at(-1)?.name}</span></div>
      <figcaption className="legend small">
        {there.map((each) => <span key={each.name}><span className={`swatch ${each.tone}`} aria-hidden="true" />{each.total} {each.title}</span>)}
      </figcaption>
    </figure>
  );
}

// Names with their counts, and how they compare with the largest.
export function Shares({ title, rows }: { title: string; rows: [string, number][] }): ReactNode {
  const most = Math.max(1, ...rows.map(([, value]) => value));
  return (
    <section className="card stack" aria-label={title}>
      <h2>{title}</h2>
      <ul className="shares">
        {rows.map(([name, value]) => (
          <li key={name}>
            <span>{name}</span>
            <span className="number">{value}</span>
            <span className="meter"><span style={{ width: `${(100 * value) / most}%` }} /></span>
          </li>
        ))}
      </ul>
    </section>
  );
}
