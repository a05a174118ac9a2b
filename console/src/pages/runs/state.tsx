// The state of a run, in the colour of what is to be done about it.
import type { ReactNode } from "react";
import { Badge } from "../../ui/controls";

const TONES: Record<string, "good" | "bad" | "warn" | "accent"> = { completed: "good", failed: "bad", waiting: "warn", interrupted: "warn", running: "accent", queued: "accent" };

export function RunState({ status }: { status: string }): ReactNode {
  return <Badge tone={TONES[status] ?? "plain"}>{status}</Badge>;
}
