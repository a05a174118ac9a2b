// The lake as the server tells it.
import type { ExportStatus } from "./exports";

export interface Zone {
  files: number;
  rows: number;
  bytes: number;
}

export interface LakeSummary {
  mode: "batch" | "stream" | "hybrid";
  zones: Partial<Record<"raw" | "clean" | "ready" | "dropped", Zone>>;
  days: { date: string; interactions: number }[];
  waiting_since: number | null;
  set_aside: { count: number; latest: { what: "event" | "answer"; id: string; error: string; tries: number; since: number; retry_at: number }[] };
}

export interface BuildStep {
  name: string;
  about: string;
  before: number;
  dropped: number;
  reasons: Record<string, number>;
  samples: string[];
  on: boolean;
  changed?: number;
  found?: Record<string, number>;
}

export interface LakeBuild {
  id: string;
  state: "running" | "done" | "failed";
  error: string | null;
  created_at: number;
  ended_at: number | null;
  interactions: number | null;
  ready: number | null;
  // Answers whose ready rows are examples; a server that keeps none does not say.
  ready_samples?: string[];
  quality_rate: number | null;
  personal_data_rate: number | null;
  duplicate_rate: number | null;
  latency_s: { p50: number | null; p95: number | null } | null;
  steps?: BuildStep[];
}

export interface StepSample {
  answer_id: string;
  trace_id: string;
  at: number;
  question: string;
  answer: string;
  reason: string;
  verdict?: string;
  // What a person wrote in the place of the answer.
  edited?: string | null;
}

export interface Lineage {
  trace_id: string;
  raw: { kind: string; id: string; at: number; subject: string }[];
  clean: { answer_id: string; at: number; event_ids: string[] }[];
  ready: { build: string; answer_id: string; at: number; event_ids: string[]; verdict: string }[];
  dropped: { build: string; answer_id: string; at: number; step: string; reason: string }[];
  // Absent where the server does not tell it; null: the key may not read data sets.
  exports?: LineageExport[];
  datasets?: LineageExample[] | null;
}

export interface LineageExport {
  id: string;
  kind: string;
  format: string;
  name: string;
  status: ExportStatus;
  rows: number;
  answers: string[];
  created_at: number;
}

export interface LineageExample {
  name: string;
  version: number;
  example: string;
  split: string;
  since: number;
  current: boolean;
}
