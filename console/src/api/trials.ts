// Online experiments as the server tells them.

export interface Interval {
  n: number;
  value: number | null;
  low: number | null;
  high: number | null;
}

export interface Trial {
  id: string;
  created_at: number;
  status: "running" | "ended";
  winner: string | null;
  dropped: Record<string, string>;
  weights: Record<string, number>;
  unit: string;
  definition: { route: string; control: string; alpha: number; adaptive: boolean; promote: boolean };
}

export interface Arm {
  name: string;
  units: number;
  successes: number;
  rate: number | null;
  sequence: (Interval & { at: number })[];
  evidence: Record<string, number>;
  guards: { metric: string; state: "broken" | "held" | "open"; worse_by: number; relative: boolean; difference: Interval }[];
}

export interface Verdict extends Trial {
  verdict: string;
  best: string | null;
  metric: string;
  mismatch: number | null;
  sound: boolean;
  waiting: number;
  moved: number;
  needed: number;
  arms: Arm[];
}
