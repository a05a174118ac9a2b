// A question, which can be asked in other words.
import { useState, type ReactNode } from "react";
import { reword, type Conversation } from "../../lib/conversations";
import type { Pane, Turn } from "../../lib/tree";
import { Button, IconButton } from "../../ui/controls";
import { Versions } from "./versions";

interface Props {
  conversation: Conversation;
  index: number;
  pane: Pane;
  turn: Turn;
}

export function Question({ conversation, index, pane, turn }: Props): ReactNode {
  const [text, setText] = useState<string>();
  if (text !== undefined) {
    const ask = (): void => {
      if (text.trim()) reword(conversation.id, index, turn, text.trim());
      setText(undefined);
    };
    return (
      <article className="turn question editing" aria-label="Question">
        <textarea
          autoFocus
          rows={3}
          aria-label="The question in other words"
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Escape") setText(undefined);
            if (event.key === "Enter" && (event.metaKey || event.ctrlKey)) ask();
          }}
        />
        <div className="row end">
          <Button onClick={() => setText(undefined)}>Cancel</Button>
          <Button kind="primary" onClick={ask}>Ask this instead</Button>
        </div>
      </article>
    );
  }
  return (
    <article className="turn question" aria-label="Question">
      <div className="bubble">{turn.text}</div>
      <div className="turn-tools">
        <Versions conversation={conversation.id} index={index} pane={pane} turn={turn} what="question" />
        <IconButton icon="edit" size={14} label="Edit the question" onClick={() => setText(turn.text)} />
      </div>
    </article>
  );
}
