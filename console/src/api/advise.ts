// What the routes of advice answer.

export interface Estimate {
  mean: number | null;
  low: number | null;
  high: number | null;
  n: number;
}

export interface AdviceRow {
  way: string;
  tried: boolean;
  reason: string;
  command: string;
  name: string;
  failed: number;
  usd: number;
  seconds: number;
  tokens: number;
  upfront_usd: number;
  upfront_seconds: number;
  monthly: number | null;
  notes: string[];
  quality: Estimate;
  about: string;
}

export interface AdviceReport {
  rows: AdviceRow[];
  reasons: string[];
  out: Record<string, string>;
  open: string[];
  more_questions: number | null;
  unit: "usd" | "seconds";
  pairs: { way: string; against: string; difference: Estimate; beyond_doubt: boolean }[];
  break_even: { way: string; against: string; queries: number }[];
  terms: { queries_per_month: number; months: number; margin: number; usd_per_hour: number };
  facts: { changes_per_month: number | null; source: "told" | "measured" | "unknown" };
  sample: { measured: number; learn: number; left_out: number; split: string };
  scorer: string;
  experiment: string | null;
}

export interface Advice {
  id: string;
  name: string;
  dataset: string;
  version: number;
  model: string;
  collection: string | null;
  status: "queued" | "running" | "completed" | "failed" | "cancelled";
  stage: string;
  error: string | null;
  steps: { at: number; stage: string; reason: string }[];
  verdict: "recommended" | "unsure" | "nothing" | null;
  way: string | null;
  report: AdviceReport | null;
  created_at: number;
}

export function unfinished(status: Advice["status"]): boolean {
  return status === "queued" || status === "running";
}
