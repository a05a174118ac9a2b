// How a case stands, in a word.
import type { ReactNode } from "react";
import type { Case } from "../../api/desk";
import { duration } from "../../lib/format";
import { Badge } from "../../ui/controls";

const WORDS: Record<Case["status"], string> = { open: "waits", taken: "taken", waiting: "answered", closed: "closed" };
const TONES: Record<Case["status"], "warn" | "accent" | "good" | "plain"> = { open: "warn", taken: "accent", waiting: "good", closed: "plain" };

export function CaseState({ status }: { status: Case["status"] }): ReactNode {
  return <Badge tone={TONES[status]}>{WORDS[status]}</Badge>;
}

export function Priority({ of }: { of: Case["priority"] }): ReactNode {
  if (of === "normal" || of === "low") return of === "low" ? <span className="muted small">low</span> : null;
  return <Badge tone={of === "urgent" ? "bad" : "warn"}>{of}</Badge>;
}

// When an answer is due: how long there is still, or how long it should have been there.
export function Due({ of }: { of: Case }): ReactNode {
  if (of.due_at === null || of.status === "closed") return null;
  const left = of.due_at - Date.now() / 1000;
  if (left < 0) return <span className="bad small nowrap">{duration(-left)} late</span>;
  return <span className="muted small nowrap">due in {duration(left)}</span>;
}
