// What was said in one pane, with the model's name above it where there are two.
import { useEffect, useRef, useState, type ReactNode } from "react";
import { get } from "../../api/client";
import type { Citation, List, Model, Store } from "../../api/types";
import { branchOff, type Conversation } from "../../lib/conversations";
import { everything } from "../../lib/everything";
import { useResource } from "../../lib/resource";
import { go, path } from "../../lib/route";
import { path as turnsOf, type Pane, type Turn } from "../../lib/tree";
import { PassageDrawer } from "../../ui/passage";
import { toast } from "../../ui/toast";
import { AnswerTurn } from "./answer";
import { Feedback } from "./feedback";
import { Question } from "./question";

interface Props {
  conversation: Conversation;
  pane: Pane;
  index: number;
  models: Model[];
  onExample: (text: string) => void;
}

export function Thread({ conversation, pane, index, models, onExample }: Props): ReactNode {
  const turns = turnsOf(pane);
  const scroller = useRef<HTMLDivElement>(null);
  const following = useRef(true);
  const [cited, setCited] = useState<Citation>();
  const [judged, setJudged] = useState<Turn>();
  const last = turns.at(-1);
  useEffect(() => {
    if (following.current) scroller.current?.scrollTo({ top: scroller.current.scrollHeight });
  }, [last?.text, last?.answer?.status, turns.length]);

  const onScroll = (): void => {
    const at = scroller.current!;
    following.current = at.scrollHeight - at.scrollTop - at.clientHeight < 60;
  };
  const branch = (turn: Turn): void => {
    const made = branchOff(conversation, index, turn.id);
    go(path("chat", made.id));
    toast("This continues as a separate conversation");
  };
  const two = conversation.panes.length > 1;
  const kind = models.find((model) => model.id === pane.model)?.kind;
  return (
    <div className="pane">
      {two && <h2 className="pane-name">{pane.model}</h2>}
      <div className="thread" ref={scroller} onScroll={onScroll} tabIndex={0} role="log" aria-label={two ? `Answers of ${pane.model}` : "Conversation"} aria-busy={last?.answer?.status === "writing"}>
        <div className="thread-inner">
          {turns.length === 0 && <Start model={pane.model} kind={kind} index={index} onExample={onExample} />}
          {turns.map((turn) =>
            turn.role === "user" ? (
              <Question key={turn.id} conversation={conversation} index={index} pane={pane} turn={turn} />
            ) : (
              <AnswerTurn
                key={turn.id}
                conversation={conversation}
                index={index}
                pane={pane}
                turn={turn}
                onCite={setCited}
                onBranch={() => branch(turn)}
                onJudge={() => setJudged(turn)}
              />
            ),
          )}
        </div>
      </div>
      {cited && <PassageDrawer citation={cited} onClose={() => setCited(undefined)} />}
      {judged && <Feedback conversation={conversation.id} index={index} turn={judged} onClose={() => setJudged(undefined)} />}
    </div>
  );
}

// What the documents of a collection may answer, by their headings; "" while that is not known.
function useSuggestions(model: string, documents: boolean): string[] {
  const suggested = useResource(`suggestions ${documents ? model : ""}`, async (signal) => {
    if (!documents) return [];
    const stores = await everything<Store>("/v1/vector_stores", signal);
    // document-qa answers from all: from the largest, something is asked.
    const filled = stores.filter((store) => store.file_counts.completed > 0 && store.metadata?.made_by !== "console");
    const store = stores.find((each) => each.name === model) ?? filled.sort((a, b) => b.file_counts.completed - a.file_counts.completed)[0];
    if (!store) return [];
    const found = await get<List<{ text: string }>>(`/v1/vector_stores/${encodeURIComponent(store.id)}/suggestions?limit=4`, signal);
    return found.data.map((each) => each.text);
  });
  return suggested.data ?? [];
}

const EXAMPLES: Record<string, string[]> = {
  documents: ["What are these documents about?", "What changed most recently?"],
  chat: ["Explain what a mainspring does in a watch.", "Write a haiku about patience."],
};

function Start({ model, kind, index, onExample }: { model: string; kind?: string; index: number; onExample: (text: string) => void }): ReactNode {
  const documents = kind === "collection" || model === "document-qa";
  const suggested = useSuggestions(model, documents);
  const examples = [...suggested, ...EXAMPLES[documents ? "documents" : "chat"]!];
  return (
    <div className="start">
      <h2 className="start-title">{documents ? "Ask your documents" : "Ask a model"}</h2>
      <p className="muted">
        {documents
          ? "Every sentence of an answer has the number of its passage. Click the number to read it."
          : "Answers appear while they are generated. Use the columns above to compare two models."}
      </p>
      {index === 0 && (
        <div className="examples">
          {examples.map((text) => (
            <button key={text} type="button" onClick={() => onExample(text)}>{text}</button>
          ))}
        </div>
      )}
    </div>
  );
}
