// The loop of improvement as the server tells it.

export interface Rung {
  rung: number;
  recipe: string;
  kind: string;
  stage: string;
  outcome: string;
  reason: string;
  figures: Record<string, number>;
  candidate: string;
  version: string;
  at: number;
}

export interface Campaign {
  id: string;
  application: string;
  policy_version: number;
  trigger: string;
  stage: string;
  stages: { stage: string; now: boolean }[];
  reason: string;
  rung: number;
  recipe: string;
  kind: string;
  candidate: string | null;
  version: string | null;
  rungs: Rung[];
  made_with: Record<string, string>;
  seconds: number;
  created_at: number;
  entered_at: number;
  ended_at: number | null;
}

export interface Step {
  at: number;
  from: string;
  stage: string;
  rung: number;
  reason: string;
  figures: Record<string, number>;
  by: string | null;
}

export interface WholeCampaign extends Campaign {
  steps: Step[];
}

export interface Placed {
  id: string;
  kind: string;
  version: string | null;
}

export interface Improved {
  application: string;
  policy: {
    version: number;
    enabled: boolean;
    created_at: number;
    policy: { watch: { feedback: number | null; drift: boolean; every_s: number | null }; rungs: { recipe: string; kind: string }[]; gate: boolean };
  };
  // `fresh`: the feedback since the last campaign began.
  watched: { feedback: number; fresh: number; begun_at: number | null; rest_until: number | null };
  budget: { spent_s: number; left_s: number | null };
  placement: { current: Placed | null; candidate: Placed | null; stage: string | null; share: number; since: number | null } | null;
  campaigns: Campaign[];
}

// What people said of an answer that something is made of.
export interface Said {
  id: string;
  rating: string | null;
  edited: boolean;
}

export interface MadeVariant {
  id: string;
  application: string;
  kind: string;
  version: string | null;
  campaign: string;
  export: string | null;
  dataset: string | null;
  made_at: number;
  promoted_at: number | null;
  withdrawn_at: number | null;
  reason: string | null;
  answers: { total: number; data: string[] };
  sources?: { total: number; data: { answer_id: string; trace_id: string; feedback: Said[] }[] };
  rows?: { split: string; line: number; answers: string[] }[];
}

export interface AnswerLineage {
  answer_id: string;
  trace_id: string;
  application: string | null;
  given_by: MadeVariant | null;
  feedback: Said[];
  made_into: MadeVariant[];
}

export const OVER = ["promoted", "refused", "rolled back", "stopped"];

export function tone(stage: string): "good" | "bad" | "plain" | "accent" {
  if (stage === "promoted") return "good";
  if (stage === "refused" || stage === "rolled back") return "bad";
  return stage === "stopped" ? "plain" : "accent";
}

// Figures in a sentence, at most three digits behind the point.
export function figured(figures: Record<string, number>): string {
  return Object.entries(figures).map(([name, value]) => `${name.replaceAll("_", " ")} ${Number(value.toFixed(3))}`).join(", ");
}
