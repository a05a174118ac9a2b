// Which of several turns at the same place is shown.
import type { ReactNode } from "react";
import { updatePane } from "../../lib/conversations";
import { choose, siblings, type Pane, type Turn } from "../../lib/tree";
import { IconButton } from "../../ui/controls";

interface Props {
  conversation: string;
  index: number;
  pane: Pane;
  turn: Turn;
  what: string;
}

export function Versions({ conversation, index, pane, turn, what }: Props): ReactNode {
  const all = siblings(pane, turn);
  if (all.length < 2) return null;
  const at = all.findIndex((each) => each.id === turn.id);
  const show = (step: number): void => updatePane(conversation, index, (each) => choose(each, all[at + step]!));
  return (
    <span className="versions" role="group" aria-label={`Versions of this ${what}`}>
      <IconButton icon="left" size={14} label={`Earlier ${what}`} disabled={at === 0} onClick={() => show(-1)} />
      <span className="small">{at + 1} of {all.length}</span>
      <IconButton icon="right" size={14} label={`Later ${what}`} disabled={at === all.length - 1} onClick={() => show(1)} />
    </span>
  );
}
