// How outcomes and moods are shown.
import type { ReactNode } from "react";
import type { Group, Outcome, TrendPoint } from "../../api/insights";
import type { Series } from "../../ui/chart";
import { Badge } from "../../ui/controls";

export const OUTCOMES: Series[] = [
  { name: "resolved", title: "resolved", tone: "good" },
  { name: "escalated", title: "to people", tone: "accent" },
  { name: "refused", title: "no answer", tone: "warn" },
  { name: "abandoned", title: "abandoned", tone: "bad" },
  { name: "open", title: "going on", tone: "plain" },
];
const TONES: Record<string, "good" | "accent" | "warn" | "bad" | "plain"> = { resolved: "good", escalated: "accent", refused: "warn", abandoned: "bad", open: "plain" };

export const NO_TOPIC = "no topic yet";

export const PERIODS = [
  { value: "7", label: "7 days" },
  { value: "30", label: "30 days" },
  { value: "90", label: "90 days" },
] as const;
export type Days = (typeof PERIODS)[number]["value"];

export function OutcomeBadge({ outcome }: { outcome: Outcome }): ReactNode {
  const title = OUTCOMES.find((each) => each.name === outcome)?.title ?? outcome;
  return <Badge tone={TONES[outcome]}>{title}</Badge>;
}

export function Mood({ value }: { value: number | null }): ReactNode {
  if (value === null) return <span className="muted">–</span>;
  const tone = value <= -0.25 ? "bad" : value >= 0.25 ? "good" : "plain";
  return <Badge tone={tone}>{signed(value)}</Badge>;
}

export function signed(value: number | null): string {
  if (value === null) return "–";
  if (Math.abs(value) < 0.005) return "0.00";
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
}

export function over(group: Group): number {
  return group.conversations - group.outcomes.open;
}

export function spikes(trend: TrendPoint[]): string[] {
  return trend.filter((point) => point.spike).map((point) => dayName(point.day));
}

export function dayName(day: string): string {
  return new Date(`${day}T00:00:00Z`).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
}
