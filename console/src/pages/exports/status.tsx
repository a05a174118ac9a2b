import type { ReactNode } from "react";
import type { ExportStatus } from "../../api/exports";
import { Badge } from "../../ui/controls";

const TONES = { queued: "plain", running: "accent", completed: "good", failed: "bad", deleted: "plain" } as const;

export function Status({ status }: { status: ExportStatus }): ReactNode {
  return <Badge tone={TONES[status]}>{status}</Badge>;
}
