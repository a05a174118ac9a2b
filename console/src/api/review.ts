// Review as the server tells it.

export interface Criterion {
  name: string;
  title: string;
  help: string;
  // Labels, the worst first.
  scale: string[];
  level: "ordinal" | "interval";
  required: boolean;
}

export interface ErrorKind {
  name: string;
  title: string;
  help: string;
}

export interface Definition {
  title: string;
  rule: { applications: string[]; certain: string[]; below: Record<string, number>; share: number };
  criteria: Criterion[];
  errors: ErrorKind[];
  // `reviewers`: the keys that alone may label; none: everybody with the scope.
  labelling: { double: number; disagreement: number; lease_minutes: number; reviewers?: string[] };
  dataset: string;
}

export interface Queue {
  id: string;
  name: string;
  version: number;
  definition: Definition;
  guideline: string;
  items: { open: number; adjudicate: number; done: number };
  strata: Record<string, { seen: number; entered: number; dropped: number }>;
}

export interface Label {
  id: string;
  by: string;
  scores: Record<string, number>;
  approved: boolean;
  errors: string[];
  comment: string;
  edit: string | null;
  adjudicated: boolean;
}

export interface Task {
  item_id: string;
  answer_id: string;
  trace_id: string;
  application: string;
  adjudicates: boolean;
  earlier: Label[];
  lease_until: number;
  question: string;
  messages: { role: string; content: string }[];
  answer: string;
  citations: { index?: number; source?: string; quote?: string }[];
  passages: string[];
}

export interface Estimate {
  value: number;
  low: number;
  high: number;
  n: number;
}

export interface Agreement {
  labels: number;
  double_items: number;
  criteria: { name: string; level: string; alpha: Estimate | null; course: (Estimate & { since: number; until: number })[] }[];
  pairs: { reviewers: [string, string]; items: number; criteria: Record<string, { kappa: number | null; agreement: number; base_rate: number; n: number }> }[];
}

export interface ItemPlace {
  by: string;
  state: "assigned" | "leased" | "given" | "skipped";
  until: number | null;
  overdue: boolean;
}

export interface Item {
  id: string;
  answer_id: string;
  trace_id: string;
  application: string;
  stratum: string;
  state: "open" | "adjudicate" | "done";
  needs: number;
  given: number;
  created_at: number;
  // Absent where the server assigns nothing.
  places?: ItemPlace[];
}

// Who has places in a queue, or is named in its definition.
export interface Places {
  reviewer: string;
  named: boolean;
  assigned: number;
  leased: number;
  given: number;
  skipped: number;
  overdue: number;
}

export interface Reviewer {
  by: string;
  labels: number;
  adjudicated: number;
  approved: Estimate;
  edited: number;
  median_seconds: number | null;
  compared: number;
  agreed: number;
  decided: number;
  overruled: number;
}

export interface Threshold {
  score: string;
  labels: number;
  wanted: number;
  value: number | null;
  low: number | null;
  high: number | null;
  approval: number | null;
  coverage: number | null;
  curve: { low: number; high: number; mean: number; approval: Estimate }[];
}

export interface Population {
  score: string;
  answers: number;
  dropped: number;
  covered: number;
  labels_alone: Estimate;
  calibrated: Estimate;
  plain_mean: number;
  strata: { stratum: string; answers: number; labels: number; judged?: number; calibrated?: Estimate }[];
}

// What is known of one answer at once; a check that no policy makes is left out.
export interface Scores {
  realtime?: Record<string, number>;
  people?: Record<string, { approved: boolean; scores: Record<string, number>; errors: string[] }>;
}

export const at = (queue: string): string => `/v1/review/queues/${encodeURIComponent(queue)}`;
