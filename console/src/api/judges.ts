// Judges as the server tells them.

export interface Interval {
  value: number;
  low: number;
  high: number;
  n?: number;
  times?: number;
}

export interface Figures {
  n: number;
  failed?: number;
  agreement?: { kappa: number | null; base_rate: number; agreement: Interval; without_ties?: Interval | null };
  correlation?: Interval | null;
  auroc?: Interval | null;
  flips?: Interval | null;
  verbosity?: Interval | null;
  padding?: Interval | null;
  attacks?: (Interval & { by_attack: Record<string, { times: number; n: number }> }) | null;
  calibration?: { method: string; error: number; error_before: number };
  reliability?: { score: number; label: number; n: number }[];
  cost?: { tokens: number; usd: number; seconds_p50: number; seconds_p95: number };
}

export interface Measurement {
  id: string;
  kind: "measure" | "estimate";
  judge: string;
  status: string;
  error: string | null;
  items: number;
  judged: number;
  figures: Figures | null;
  created_at: number;
  finished_at: number | null;
  // Whether the figures are of the judge as it is now.
  current?: boolean;
}

export interface Judge {
  name: string;
  number: number;
  shipped: boolean;
  definition: { kind: string; mode: string; description?: string; model?: string; [field: string]: unknown };
  published: Measurement | null;
}
