// An answer: its text with marks of citations, its sources, what it took, and what can be done with it.
import { useCallback, useEffect, useMemo, type ReactNode } from "react";
import { ApiError, get, may, post } from "../../api/client";
import type { Citation, CostLine, List } from "../../api/types";
import { numbers, place } from "../../lib/citations";
import * as conversations from "../../lib/conversations";
import { count, milliseconds, money } from "../../lib/format";
import { Markdown, words } from "../../lib/markdown";
import { Link, path } from "../../lib/route";
import { change, type Answer, type Pane, type Turn } from "../../lib/tree";
import { useMe } from "../../session";
import { Badge, IconButton } from "../../ui/controls";
import { Icon } from "../../ui/icon";
import { Note } from "../../ui/states";
import { copy, toast } from "../../ui/toast";
import { Versions } from "./versions";

interface Props {
  conversation: conversations.Conversation;
  index: number;
  pane: Pane;
  turn: Turn;
  onCite: (citation: Citation) => void;
  onBranch: () => void;
  onJudge: () => void;
}

const ENDINGS: Record<string, string> = {
  length: "Cut off: the limit of tokens was reached.",
  content_filter: "The rest was held back by a guard.",
};

export function AnswerTurn({ conversation, index, pane, turn, onCite, onBranch, onJudge }: Props): ReactNode {
  const answer = turn.answer!;
  // A rejection in words is the whole answer.
  const declined = answer.notices.some((notice) => notice.code === "declined");
  const cites = useMemo(() => numbers(answer.citations), [answer.citations]);
  const mark = useCallback(
    (number: number) => {
      const citation = answer.citations.find((each) => each.index === number);
      return citation ? (
        <button type="button" className="cite" title={place(citation)} aria-label={`Source ${number}: ${place(citation)}`} onClick={() => onCite(citation)}>
          {number}
        </button>
      ) : null;
    },
    [answer.citations, onCite],
  );
  const running = answer.status === "waiting" || answer.status === "writing";
  return (
    <article className={`turn answer ${answer.status}`} aria-label={`Answer of ${answer.model}`}>
      <p className="answer-of muted small">
        {answer.model}
        {answer.answered === false && <Badge tone="warn">not in the documents</Badge>}
        {answer.answered && answer.mode === "extractive" && <Badge>verbatim</Badge>}
      </p>
      {answer.reasoning && (
        <details className="reasoning">
          <summary>Thoughts</summary>
          <p>{answer.reasoning}</p>
        </details>
      )}
      {answer.status === "waiting" && (
        <p className="waiting" role="status"><span className="spinner" aria-hidden="true" />{answer.stage ? `${answer.stage.charAt(0).toUpperCase()}${answer.stage.slice(1)} …` : "Waiting for the first token …"}</p>
      )}
      <div className="prose"><Markdown text={turn.text} cites={cites} mark={mark} /></div>
      {answer.status === "failed" && <Note tone="bad">{answer.error?.message}</Note>}
      {answer.status === "stopped" && <p className="muted small">Stopped.</p>}
      {answer.finish && ENDINGS[answer.finish] && !declined && <p className="muted small">{ENDINGS[answer.finish]}</p>}
      <Remarks answer={answer} />
      {answer.citations.length > 0 && <Sources citations={answer.citations} onCite={onCite} />}
      {!running && (
        <div className="turn-tools">
          <Versions conversation={conversation.id} index={index} pane={pane} turn={turn} what="answer" />
          <IconButton icon="copy" size={15} label="Copy the answer" onClick={() => void copy(turn.text, "Answer")} />
          <IconButton icon="again" size={15} label="Answer again" onClick={() => conversations.answer(conversation.id, index, turn.parent, true)} />
          {answer.answered && answer.mode !== "extractive" && (
            <IconButton icon="quote" size={15} label="Say it in the documents' own words" onClick={() => conversations.answer(conversation.id, index, turn.parent, true, "extractive")} />
          )}
          <IconButton icon="branch" size={15} label="Branch off here" onClick={onBranch} />
          {answer.answerId && <Thumbs conversation={conversation.id} index={index} turn={turn} answer={answer} onJudge={onJudge} />}
          <Facts conversation={conversation.id} index={index} turn={turn} answer={answer} />
        </div>
      )}
    </article>
  );
}

function Remarks({ answer }: { answer: Answer }): ReactNode {
  return (
    <>
      {answer.answered === false && (answer.sought?.length ?? 0) > 0 && (
        <Note tone="warn">Looked for, and not found in one document: {answer.sought!.join(", ")}</Note>
      )}
      {answer.missing.length > 0 && (
        <Note tone="warn">The documents say nothing about: {answer.missing.join("; ")}</Note>
      )}
      {answer.conflicts.map((conflict, index) => (
        <Note key={index} tone="warn">
          Sources disagree about {conflict.about}: {conflict.claims.map((claim) => `${claim.value} (${claim.source}${claim.newest ? ", the newest" : ""})`).join(", ")}
        </Note>
      ))}
      {answer.notices.map((notice, index) => <Note key={index}>{notice.text}</Note>)}
    </>
  );
}

function Sources({ citations, onCite }: { citations: Citation[]; onCite: (citation: Citation) => void }): ReactNode {
  return (
    <ol className="sources" aria-label="Sources">
      {citations.map((citation) => (
        <li key={citation.index}>
          <button type="button" title={place(citation)} onClick={() => onCite(citation)}>
            <span className="source-number">{citation.index}</span>
            <span className="source-name">{citation.source}</span>
            <span className="muted">{[citation.page ? `page ${citation.page}` : "", words(citation.heading.split(" > ").at(-1) ?? "")].filter(Boolean).join(" · ")}</span>
            {citation.quote && <span className="source-quote muted">“{words(citation.quote)}”</span>}
          </button>
        </li>
      ))}
    </ol>
  );
}

interface ThumbsProps {
  conversation: string;
  index: number;
  turn: Turn;
  answer: Answer;
  onJudge: () => void;
}

function Thumbs({ conversation, index, turn, answer, onJudge }: ThumbsProps): ReactNode {
  const rate = async (rating: "up" | "down"): Promise<void> => {
    try {
      await post("/v1/feedback", { answer_id: answer.answerId, rating });
      conversations.updatePane(conversation, index, (pane) =>
        change(pane, turn.id, (each) => ({ ...each, answer: { ...each.answer!, rating } })),
      );
      toast("Thank you, your feedback is recorded");
    } catch (error) {
      toast(error instanceof ApiError ? error.message : "The feedback was not recorded");
    }
  };
  return (
    <>
      <IconButton icon="up" size={15} label="Good answer" active={answer.rating === "up"} onClick={() => void rate("up")} />
      <IconButton icon="down" size={15} label="Bad answer" active={answer.rating === "down"} onClick={() => void rate("down")} />
      <IconButton icon="edit" size={15} label="Write a better answer" active={answer.edited} onClick={onJudge} />
    </>
  );
}

// What the answer took; the link is for those who may read traces.
function Facts({ conversation, index, turn, answer }: Omit<ThumbsProps, "onJudge">): ReactNode {
  const me = useMe();
  const ledger = may(me, "admin");
  const { traceId, costUsd } = answer;
  useEffect(() => {
    if (!ledger || !traceId || costUsd !== undefined) return undefined;
    const stopping = new AbortController();
    get<List<CostLine>>(`/v1/costs?trace_id=${traceId}`, stopping.signal).then(
      ({ data }) => {
        const spent = data.reduce((sum, line) => sum + line.cost_usd, 0);
        conversations.updatePane(conversation, index, (pane) =>
          change(pane, turn.id, (each) => ({ ...each, answer: { ...each.answer!, costUsd: spent } })),
        );
      },
      // An answer is no worse for it.
      () => {},
    );
    return () => stopping.abort();
  }, [ledger, traceId, costUsd, conversation, index, turn.id]);
  const cost = costUsd ?? answer.usage?.cost_usd;
  const usage = answer.usage;
  const cached = usage?.prompt_tokens_details?.cached_tokens ?? 0;
  const facts = [
    answer.answeredBy && answer.answeredBy !== answer.model ? `by ${answer.answeredBy}` : "",
    answer.instead ? `instead of ${answer.instead}` : "",
    usage ? `${count(usage.prompt_tokens)} + ${count(usage.completion_tokens)} tokens` : "",
    cached > 0 ? `${count(cached)} cached` : "",
    cost === undefined ? "" : money(cost),
    answer.ttftMs !== undefined ? `first token ${milliseconds(answer.ttftMs)}` : "",
    answer.totalMs !== undefined ? `total ${milliseconds(answer.totalMs)}` : "",
    answer.cache === "hit" || answer.cache === "semantic" ? "from the answer cache" : "",
  ].filter(Boolean);
  return (
    <span className="facts muted small">
      <span>{facts.join(" · ")}</span>
      {answer.traceId && may(me, "admin") && (
        <Link to={path("traces", answer.traceId)} className="fact-link"><Icon name="traces" size={13} />Trace</Link>
      )}
    </span>
  );
}
