// How far an experiment is.
import type { ReactNode } from "react";
import { Badge } from "../../ui/controls";

export function Status({ status }: { status: string }): ReactNode {
  const tone = status === "completed" ? "good" : status === "failed" ? "bad" : status === "cancelled" ? "plain" : "accent";
  return <Badge tone={tone}>{status}</Badge>;
}
