// How far a job is.
import type { ReactNode } from "react";
import type { TrainingJob } from "../../api/train";
import { Badge } from "../../ui/controls";

const TONES = { queued: "plain", waiting: "plain", running: "accent", paused: "plain", succeeded: "good", failed: "bad", cancelled: "plain" } as const;

export function Status({ status }: { status: TrainingJob["status"] }): ReactNode {
  return <Badge tone={TONES[status]}>{status}</Badge>;
}
