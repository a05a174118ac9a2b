// The reliability curve: the mean label by score, beside the line on which a calibrated judge would be.
import type { ReactNode } from "react";
import { plural } from "../../lib/format";

const SIZE = 240;
const EDGE = 28;

export function Reliability({ points }: { points: { score: number; label: number; n: number }[] }): ReactNode {
  const most = Math.max(...points.map((point) => point.n));
  const x = (value: number): number => EDGE + value * (SIZE - 2 * EDGE);
  const y = (value: number): number => SIZE - EDGE - value * (SIZE - 2 * EDGE);
  const line = points.map((point) => `${x(point.score)},${y(point.label)}`).join(" ");
  return (
    <figure className="row wraps top">
      <svg width={SIZE} height={SIZE} viewBox={`0 0 ${SIZE} ${SIZE}`} role="img" aria-label="Mean label by score">
        <path d={`M${EDGE} ${EDGE}V${SIZE - EDGE}H${SIZE - EDGE}`} fill="none" stroke="var(--line)" />
        <line x1={x(0)} y1={y(0)} x2={x(1)} y2={y(1)} stroke="var(--muted)" strokeDasharray="3 4" />
        <polyline points={line} fill="none" stroke="var(--accent)" strokeWidth={2} />
        {points.map((point) => <circle key={point.score} cx={x(point.score)} cy={y(point.label)} r={3 + 4 * Math.sqrt(point.n / most)} fill="var(--accent)" />)}
        <text x={SIZE / 2} y={SIZE - 6} textAnchor="middle" fill="var(--muted)" fontSize={12}>score</text>
        <text x={10} y={SIZE / 2} textAnchor="middle" fill="var(--muted)" fontSize={12} transform={`rotate(-90 10 ${SIZE / 2})`}>label</text>
      </svg>
      <div className="scroll">
        <table className="table">
          <thead><tr><th className="number">Score</th><th className="number">People</th><th className="number">Labels</th></tr></thead>
          <tbody>
            {points.map((point) => (
              <tr key={point.score}>
                <td className="number">{point.score.toFixed(2)}</td>
                <td className="number">{point.label.toFixed(2)}</td>
                <td className="number">{point.n}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <figcaption className="hidden">{plural(points.length, "part")} of the scale</figcaption>
    </figure>
  );
}
