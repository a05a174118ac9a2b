// The Prometheus page: its samples, and what the difference of two pages tells.

export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;

export function parse(page: string): Sample[] {
  const found: Sample[] = [];
  for (const line of page.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const match = LINE.exec(line);
    if (!match) continue;
    const labels: Record<string, string> = {};
    for (const label of (match[2] ?? "").matchAll(LABEL)) {
      labels[label[1]!] = label[2]!.replace(/\\(.)/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped));
    }
    found.push({ name: match[1]!, labels, value: number(match[3]!) });
  }
  return found;
}

function number(text: string): number {
  if (text === "+Inf") return Infinity;
  return text === "-Inf" ? -Infinity : Number(text);
}

export type Where = Record<string, string>;

export function matching(samples: readonly Sample[], name: string, where: Where = {}): Sample[] {
  const wanted = Object.entries(where);
  return samples.filter(
    (sample) => sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value),
  );
}

export function sum(samples: readonly Sample[], name: string, where: Where = {}): number {
  return matching(samples, name, where).reduce((all, sample) => all + sample.value, 0);
}

export function values(samples: readonly Sample[], name: string, label: string): string[] {
  return [...new Set(matching(samples, name).map((sample) => sample.labels[label] ?? ""))].sort();
}

// What a counter gained a second. A server that was started anew counts from nothing.
export function rate(
  before: readonly Sample[],
  after: readonly Sample[],
  seconds: number,
  name: string,
  where: Where = {},
): number {
  const gained = sum(after, name, where) - sum(before, name, where);
  return seconds > 0 ? Math.max(0, gained) / seconds : 0;
}

// The quantile of what a histogram gained between two pages, interpolated within its bucket; null: it gained nothing.
export function quantile(
  before: readonly Sample[],
  after: readonly Sample[],
  name: string,
  q: number,
  where: Where = {},
): number | null {
  const gained = new Map<number, number>();
  for (const [samples, sign] of [[after, 1], [before, -1]] as const) {
    for (const sample of matching(samples, `${name}_bucket`, where)) {
      const bound = number(sample.labels.le ?? "+Inf");
      gained.set(bound, (gained.get(bound) ?? 0) + sign * sample.value);
    }
  }
  const bounds = [...gained.keys()].sort((a, b) => a - b);
  const all = gained.get(Infinity) ?? 0;
  if (all <= 0) return null;
  let low = 0;
  let under = 0;
  for (const bound of bounds) {
    const upTo = gained.get(bound)!;
    if (upTo >= q * all) {
      if (bound === Infinity) return low;
      return upTo === under ? bound : low + ((bound - low) * (q * all - under)) / (upTo - under);
    }
    low = bound;
    under = upTo;
  }
  return low;
}
