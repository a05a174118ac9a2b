// What the routes of data sets and experiments answer.

export interface DataSet {
  name: string;
  description: string | null;
  version: number;
  examples: number;
  tags: Record<string, number>;
  created_at: number;
  updated_at: number;
}

export interface DataSetVersion {
  name: string;
  version: number;
  examples: number;
  erased: number;
  added: number;
  changed: number;
  removed: number;
  fingerprint: string;
  shares: Record<string, number> | null;
  note: string | null;
  created_at: number;
}

export interface Example {
  id: string;
  messages: { role: string; content: string }[];
  references: string[];
  passages: string[];
  refused: boolean | null;
  tags: Record<string, string>;
  sources: string[];
  trace_id: string;
  group: string;
  split: string;
  extra: Record<string, unknown>;
}

export interface Examples {
  version: number;
  data: Example[];
  has_more: boolean;
  next: number | null;
}

export interface Diff {
  old: number;
  new: number;
  data: { id: string; before: Example | null; after: Example | null }[];
  has_more: boolean;
  next: string | null;
}

export interface Experiment {
  id: string;
  name: string;
  dataset: string;
  version: number;
  status: string;
  error: string | null;
  responders: { name: string; model: string }[];
  scorers: { name: string; label: string }[];
  recorded: boolean;
  counts: { total: number; done: number };
  created_at: number;
  ended_at: number | null;
}

export interface Estimate {
  mean: number | null;
  low: number | null;
  high: number | null;
  n: number;
}

// Of a judge's scores: the mean is raw, and beside it stands what people would say; why there is no such estimate.
export interface ScoreEstimate extends Estimate {
  raw?: boolean;
  calibrated?: { mean: number; low: number | null; high: number | null; by: string; labels: number } | null;
  why?: string;
}

export interface Comparison {
  scorer: string;
  responder: string;
  baseline: string;
  difference: Estimate;
  won: number;
  lost: number;
  p?: number | null;
  p_corrected?: number | null;
  worst?: number[];
  best?: number[];
}

export interface Responder {
  name: string;
  answers: number;
  failed: number;
  scores: Record<string, ScoreEstimate>;
  cost_usd: number;
  cost_per_answer_usd: number | null;
  tokens: number;
  seconds_p50: number | null;
  seconds_p95: number | null;
}

export interface Report {
  examples: number;
  responders: Responder[];
  comparisons: Comparison[];
  slices: { tag: string; value: string; examples: number; responders: { name: string; scores: Record<string, ScoreEstimate> }[] }[];
}

export interface Piece {
  kind: "same" | "removed" | "added";
  text: string;
}

export interface Place {
  place: number;
  example_id: string;
  example: Example | null;
  answers: {
    responder: string;
    text: string;
    error: string | null;
    trace_id: string | null;
    scores: Record<string, number | null>;
    reasons: Record<string, string>;
    diff?: Piece[] | null;
  }[];
}

export interface Places {
  data: Place[];
  has_more: boolean;
  next: number | null;
}

export function question(example: Example | null): string {
  return example?.messages.filter((each) => each.role === "user").at(-1)?.content ?? "";
}
