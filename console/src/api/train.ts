// Training and what it made, as the server tells it.

export interface TrainingJob {
  id: string;
  recipe: string;
  name: string;
  status: "queued" | "waiting" | "running" | "paused" | "succeeded" | "failed" | "cancelled";
  wish: string | null;
  step: number;
  figures: Record<string, number>;
  version: string | null;
  error: { message: string; remedy?: string; code?: string } | null;
  seconds: number;
  options: Record<string, unknown>;
  seed: number;
  base: string | null;
  export: string | null;
  limits: { seconds: number | null; usd: number | null; night: boolean };
  data: { source?: string; rows?: number; sides?: Record<string, { rows: number }>; split?: string };
  created_at: number;
  started_at: number | null;
  ended_at: number | null;
}

export interface Point {
  step: number;
  at: number;
  figures: Record<string, number>;
}

export interface Sample {
  step: number;
  prompt: string;
  text: string;
}

export interface Measured {
  name: string;
  before: number | null | undefined;
  after: number;
  interval: [number, number] | null;
  n: number | null | undefined;
}

export interface Version {
  id: string;
  name: string;
  number: number;
  makes: string;
  recipe: string;
  job: string;
  export: string | null;
  base: string | null;
  figures: Measured[];
  value: Record<string, unknown>;
  notes: string[];
  servable: boolean;
  served: string | null;
  stale: string | null;
  withdrawn: boolean;
  problem: string | null;
  created_at: number;
}

export interface WholeVersion extends Version {
  options: Record<string, unknown>;
  seed: number;
  files: { name: string; bytes: number }[];
}

export interface RecipeOption {
  description?: string;
  default?: unknown;
  type?: string;
}

export interface Recipe {
  id: string;
  summary: string;
  makes: string;
  reads: string[];
  needs: string[];
  bases: string[];
  named?: Record<string, string[]>;
  source: string;
  options: { properties?: Record<string, RecipeOption>; required?: string[] };
}

export interface Base {
  id: string;
  kind: string;
  source: "model" | "version";
}

export interface MemoryPlan {
  parameters: number;
  trained: number;
  processes: number;
  bytes: Record<string, number | null>;
  not_counted: string[];
  total_bytes: number;
  limit_bytes: number;
  fits: boolean;
  notes: string[];
}

export const OVER = ["succeeded", "failed", "cancelled"];

// The figures of a job as curves: a row of steps each, in the order in which they first appear.
export function curves(points: Point[]): [string, { step: number; value: number }[]][] {
  const found = new Map<string, { step: number; value: number }[]>();
  for (const point of points) {
    for (const [name, value] of Object.entries(point.figures)) {
      if (!Number.isFinite(value)) continue;
      found.set(name, [...(found.get(name) ?? []), { step: point.step, value }]);
    }
  }
  return [...found];
}

// What was written to each prompt: at first, and at last.
export function beforeAndAfter(samples: Sample[]): { prompt: string; first: Sample; last: Sample }[] {
  const found = new Map<string, Sample[]>();
  for (const each of samples) found.set(each.prompt, [...(found.get(each.prompt) ?? []), each]);
  return [...found].map(([prompt, of]) => {
    const ordered = [...of].sort((one, other) => one.step - other.step);
    return { prompt, first: ordered[0]!, last: ordered.at(-1)! };
  });
}

export function digits(value: number): string {
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(4)));
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toLocaleString("en", { maximumFractionDigits: bytes < 1e8 ? 1 : 0 })} MB`;
}

// What somebody typed as the value of an option: JSON where it is JSON, unless the option is a text.
export function typed(option: RecipeOption, text: string): unknown {
  if (option.type === "string") return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
