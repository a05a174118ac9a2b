// Spans as rows of a waterfall: each below the one it belongs to, placed on the time of the whole trace.
import type { Span } from "../api/types";

export interface Row {
  span: Span;
  depth: number;
  // Milliseconds from the beginning of the trace.
  at: number;
  // What is left of its duration without the steps below it.
  own: number;
  left: number;
  width: number;
  children: number;
}

export function total(spans: readonly Span[]): number {
  const first = beginning(spans);
  return Math.max(0, ...spans.map((span) => offset(span, first) + span.duration_ms));
}

export function rows(spans: readonly Span[]): Row[] {
  const known = new Set(spans.map((span) => span.id));
  const below = new Map<string, Span[]>();
  const tops: Span[] = [];
  for (const span of [...spans].sort(byStart)) {
    // The span above may be another service's, or may have been lost.
    if (span.parent_id === null || !known.has(span.parent_id)) tops.push(span);
    else below.set(span.parent_id, [...(below.get(span.parent_id) ?? []), span]);
  }
  const first = beginning(spans);
  const whole = total(spans) || 1;
  const found: Row[] = [];
  const visit = (span: Span, depth: number): void => {
    const children = below.get(span.id) ?? [];
    const at = offset(span, first);
    found.push({
      span,
      depth,
      at,
      own: Math.max(0, span.duration_ms - covered(span, children, first)),
      left: (100 * at) / whole,
      width: (100 * span.duration_ms) / whole,
      children: children.length,
    });
    for (const child of children) visit(child, depth + 1);
  };
  for (const span of tops) visit(span, 0);
  return found;
}

// How long some step below was running: those that ran at once count once.
function covered(span: Span, children: readonly Span[], first: bigint): number {
  const end = offset(span, first) + span.duration_ms;
  let sum = 0;
  let reached = offset(span, first);
  for (const child of children) {
    const from = Math.max(offset(child, first), reached);
    const to = Math.min(offset(child, first) + child.duration_ms, end);
    if (to > from) {
      sum += to - from;
      reached = to;
    }
  }
  return sum;
}

function beginning(spans: readonly Span[]): bigint {
  return spans.map((span) => BigInt(span.start_ns)).reduce((a, b) => (b < a ? b : a), BigInt(spans[0]?.start_ns ?? 0));
}

function offset(span: Span, first: bigint): number {
  return Number(BigInt(span.start_ns) - first) / 1e6;
}

function byStart(a: Span, b: Span): number {
  const difference = BigInt(a.start_ns) - BigInt(b.start_ns);
  return difference < 0n ? -1 : difference > 0n ? 1 : b.duration_ms - a.duration_ms;
}

// Rows without those that `hides`; what is below them moves up.
export function without(all: readonly Row[], hides: (row: Row) => boolean): Row[] {
  const left: Row[] = [];
  const hiddenAbove: number[] = [];
  for (const row of all) {
    while (hiddenAbove.length > 0 && hiddenAbove.at(-1)! >= row.depth) hiddenAbove.pop();
    if (hides(row)) hiddenAbove.push(row.depth);
    else left.push({ ...row, depth: row.depth - hiddenAbove.length });
  }
  return left;
}
