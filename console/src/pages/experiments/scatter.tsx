// Quality against cost: a point for each responder, with the interval of its score.
import { useId, type ReactNode } from "react";
import type { Report } from "../../api/datasets";
import { duration, money } from "../../lib/format";
import { estimate } from "./experiment";

const [WIDTH, HEIGHT, EDGE] = [640, 240, 44];

export function Scatter({ report, scorer }: { report: Report; scorer: string }): ReactNode {
  const id = useId();
  // Models that run here may cost nothing: their time is what differs.
  const timed = report.responders.every((each) => !each.cost_per_answer_usd);
  const said = (value: number): string => (timed ? duration(value) : money(value));
  const points = report.responders.flatMap((each) => {
    const score = each.scores[scorer];
    const cost = timed ? each.seconds_p50 : each.cost_per_answer_usd;
    return score && score.mean !== null && cost !== null ? [{ name: each.name, cost, score, mean: score.mean }] : [];
  });
  const top = Math.max(...points.map((each) => each.cost), 0) || 1;
  const x = (cost: number): number => EDGE + (cost / top) * (WIDTH - 4 * EDGE);
  const y = (value: number): number => HEIGHT - EDGE - Math.min(1, Math.max(0, value)) * (HEIGHT - EDGE - 16);
  const right = (cost: number): boolean => x(cost) > WIDTH / 2;
  const named = places(points.map((each) => ({ name: each.name, x: x(each.cost), y: y(each.mean), right: right(each.cost) })));
  return (
    <section className="card stack" aria-label={timed ? "Quality against time" : "Quality against cost"}>
      <h2>{timed ? "Quality against time" : "Quality against cost"}</h2>
      <div className="scroll" tabIndex={0} role="group" aria-label="Points">
      <svg className="scatter" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-labelledby={id}>
        <title id={id}>{points.map((each) => `${each.name}: ${scorer} ${estimate(each.score)}, ${said(each.cost)} an answer`).join("; ")}</title>
        {[0, 0.5, 1].map((value) => (
          <g key={value}>
            <line className="grid" x1={EDGE} x2={WIDTH} y1={y(value)} y2={y(value)} />
            <text className="tick" x={EDGE - 8} y={y(value) + 4} textAnchor="end">{value}</text>
          </g>
        ))}
        <text className="tick" x={EDGE} y={HEIGHT - 10}>{timed ? "0 s" : money(0)}</text>
        <text className="tick" x={x(top)} y={HEIGHT - 10} textAnchor="middle">{`${said(top)} an answer`}</text>
        {points.map((each, index) => (
          <g key={each.name}>
            {each.score.low !== null && each.score.high !== null && <line className="whisker" x1={x(each.cost)} x2={x(each.cost)} y1={y(each.score.low)} y2={y(each.score.high)} />}
            <circle className="point" cx={x(each.cost)} cy={y(each.mean)} r="5" />
            {/* The name of a point on the right stands on its left, where there is room. */}
            <text className="named" x={x(each.cost) + (right(each.cost) ? -10 : 10)} y={named[index]} textAnchor={right(each.cost) ? "end" : "start"}>{each.name}</text>
          </g>
        ))}
      </svg>
      </div>
    </section>
  );
}

interface Named {
  name: string;
  x: number;
  y: number;
  right: boolean;
}

const [LINE, LETTER] = [14, 6.6];

// The heights of the points' names: one that would stand on another goes above it, or below where there is no room.
export function places(points: Named[]): number[] {
  const found: { from: number; to: number; y: number }[] = [];
  for (const each of points) {
    const wide = each.name.length * LETTER;
    const [from, to] = each.right ? [each.x - 10 - wide, each.x - 10] : [each.x + 10, each.x + 10 + wide];
    const free = (y: number): boolean => found.every((other) => other.to < from || other.from > to || Math.abs(other.y - y) >= LINE);
    const wanted = each.y + (each.right ? -8 : 4);
    const tried = Array.from({ length: 2 * points.length }, (_, step) => wanted - step * LINE).filter((y) => y >= LINE);
    const below = Array.from({ length: 2 * points.length }, (_, step) => wanted + step * LINE);
    found.push({ from, to, y: [...tried, ...below].find(free) ?? wanted });
  }
  return found.map((each) => each.y);
}
