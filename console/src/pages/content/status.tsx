// The status of an article as a badge.
import type { ReactNode } from "react";
import type { ArticleStatus } from "../../api/content";
import { Badge } from "../../ui/controls";

const TONES: Partial<Record<ArticleStatus, "good" | "bad" | "warn" | "accent">> = {
  completed: "good",
  failed: "bad",
  denied: "bad",
  plan_pending: "warn",
  running: "accent",
  queued: "accent",
};

export const OPEN: readonly ArticleStatus[] = ["queued", "running"];

export function Status({ status }: { status: ArticleStatus }): ReactNode {
  return <Badge tone={TONES[status] ?? "plain"}>{status === "plan_pending" ? "plan waits" : status}</Badge>;
}
