// What the routes of the monitor answer, as far as the console reads it.

export interface Signal {
  name: string;
  value: number;
  limit: number;
  unit: string;
  samples: number;
  wrong: boolean;
  before: number | null;
  examples: string[];
}

export interface Alert {
  id: string;
  rule: string;
  application: string;
  name: string;
  severity: string;
  state: "firing" | "resolved";
  summary: string;
  raised_at: number;
  cleared_at: number | null;
  acknowledged_by: string;
  acknowledged_at: number | null;
  signals: Signal[];
  silenced: boolean;
  runbook: string;
}

export interface Silence {
  id: string;
  rule: string;
  application: string;
  comment: string;
  created_by: string;
  created_at: number;
  until: number;
}

export interface Drift {
  application: string;
  state: "learning" | "stable" | "drifted";
  raised_at: number | null;
  accepted_at: number | null;
  features: { name: string; statistic: string; value: number; limit: number; reference: number; current: number; drifted: boolean }[];
}

export interface Objective {
  name: string;
  application: string;
  kind: string;
  target: number;
  under_s: number | null;
  requests: number;
  bad: number;
  reached: number | null;
  budget_left: number;
  burn_rates: Record<string, number>;
}

export interface Counted {
  ok: number;
  failed: number;
  refused: number;
  cancelled: number;
  cached: number;
  up: number;
  down: number;
  edited: number;
  retrievals: number;
  unanswered: number;
  // Of `ok`: the documents did not say.
  not_in_documents: number;
  sentences: number;
  unsupported: number;
  guard_refused: number;
  leaks: number;
  errors: Record<string, number>;
  judged: number;
  scores: Scored[];
  // Shares of all answers in which nothing was found; null where there were none.
  realtime?: Record<string, number | null>;
}

// The mean of what judged answers score in one measure, by one judge.
export interface Scored {
  metric: string;
  judge: string;
  count: number;
  mean: number;
}

export interface Verdict {
  id: string;
  answer_id: string;
  created_at: number;
  application: string;
  judge: string;
  scores: Record<string, number>;
  claims: number;
  supported: number;
}

export interface QualityReport {
  step_s: number;
  applications: string[];
  total: Counted;
  examples: Record<string, string[]>;
  data: (Counted & { at: number })[];
}
