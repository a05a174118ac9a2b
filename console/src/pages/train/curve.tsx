// A figure over the steps of a job; the axis begins at the least value, since losses seldom come near zero.
import { useId, type ReactNode } from "react";
import { digits } from "../../api/train";

const [WIDTH, HEIGHT] = [300, 90];

export function Curve({ label, values }: { label: string; values: { step: number; value: number }[] }): ReactNode {
  const id = useId();
  const [first, last] = [values[0]!, values.at(-1)!];
  const least = values.reduce((found, each) => Math.min(found, each.value), Infinity);
  const most = values.reduce((found, each) => Math.max(found, each.value), -Infinity);
  const x = (step: number): number => ((step - first.step) / Math.max(1, last.step - first.step)) * WIDTH;
  const y = (value: number): number => HEIGHT - 4 - ((value - least) / (most - least || 1)) * (HEIGHT - 10);
  return (
    <svg className="line-chart" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-labelledby={id}>
      <title id={id}>{`${label}: from ${digits(first.value)} at step ${first.step} to ${digits(last.value)} at step ${last.step}, between ${digits(least)} and ${digits(most)}`}</title>
      <line className="grid" x1="0" x2={WIDTH} y1={HEIGHT - 1.5} y2={HEIGHT - 1.5} />
      {values.length === 1 ? <circle cx="2" cy={y(first.value)} r="2" /> : <polyline points={values.map((each) => `${x(each.step).toFixed(1)},${y(each.value).toFixed(1)}`).join(" ")} />}
    </svg>
  );
}
