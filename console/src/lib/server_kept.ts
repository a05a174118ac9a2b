// Conversations as the server keeps them: each is a session of this key's own ("own:ID"), and every other way that it went
// (another answer, another question, a second column) is a part of that ("own:ID.PANE-NAME"), forked where the ways part.
import { ApiError, get, post } from "../api/client";
import type { Said } from "../api/ask";
import type { Citation, List } from "../api/types";
import { everything } from "./everything";
import { newId } from "./ids";
import { add, before, emptyPane, ROOT, type Answer, type Pane, type Turn } from "./tree";

const OWN = "own:";
const RUNNING = new Set(["waiting", "writing", "done"]);

export interface Known {
  id: string;
  title: string;
  at: number;
}

interface SessionRow {
  id: string;
  title: string | null;
  begins: string;
  created_at: number;
  updated_at: number;
}

interface RecordedAnswer {
  id: string;
  requested: string | null;
  model: string | null;
  cache: string | null;
  answered: boolean | null;
  finish_reason: string | null;
  prompt_tokens: number;
  completion_tokens: number;
  duration_s: number | null;
  ttft_s: number | null;
  citations: (Pick<Citation, "index" | "document_id" | "source" | "quote" | "start" | "end"> & Partial<Citation>)[];
  rating: "up" | "down" | null;
}

interface Message {
  id: string;
  turn_id: string;
  trace_id: string | null;
  role: string;
  content: string;
  answer?: RecordedAnswer;
}

export function url(id: string): string {
  return sessionUrl(OWN + id);
}

function sessionUrl(name: string): string {
  return `/v1/sessions/${encodeURIComponent(name)}`;
}

function known(row: SessionRow): Known {
  return { id: row.id.slice(OWN.length), title: row.title || short(row.begins), at: row.updated_at };
}

export function short(text: string): string {
  return text.trim().replace(/\s+/g, " ").slice(0, 80);
}

// The latest conversations, or those with `words`; `all`: there are no others.
export async function listed(words: string, signal?: AbortSignal): Promise<{ found: Known[]; all: boolean }> {
  const asked = words.trim() ? `&q=${encodeURIComponent(words.trim())}` : "";
  const page = await get<List<SessionRow>>(`/v1/sessions?own=true&limit=100${asked}`, signal);
  return { found: page.data.map(known), all: !page.has_more };
}

export async function entitle(id: string, title: string): Promise<void> {
  await post(url(id), { title });
}

// What was said in a conversation, by its columns. Raises ApiError with 404 where the server does not keep it any more.
export async function load(id: string, signal?: AbortSignal): Promise<Pane[]> {
  const whole = OWN + id;
  const stopping = signal ?? new AbortController().signal;
  const parts = await everything<SessionRow>(`/v1/sessions?part_of=${encodeURIComponent(whole)}`, stopping);
  parts.sort((one, other) => one.created_at - other.created_at);
  const panes: Pane[] = [];
  for (const name of [whole, ...parts.map((row) => row.id)]) {
    const said = await everything<Message>(`${sessionUrl(name)}/messages?include=answers`, stopping);
    const index = name === whole ? 0 : Number.parseInt(name.slice(whole.length + 1), 10) || 0;
    panes[index] = grown(panes[index] ?? emptyPane(""), name, said.reverse());
  }
  return Array.from(panes, (pane) => pane ?? emptyPane(""));
}

// A column with what was said in one session more. What sessions share is there once.
export function grown(pane: Pane, session: string, said: Message[]): Pane {
  let parent = ROOT;
  let next = pane;
  for (const message of said) {
    if ((message.role !== "user" && message.role !== "assistant") || !message.content) continue;
    const role = message.role;
    const same = next.turns[message.id] ?? (role === "user" ? Object.values(next.turns).find((each) => each.parent === parent && each.role === "user" && each.text === message.content) : undefined);
    const turn: Turn = same ?? { id: message.id, parent, role, text: message.content, ...(role === "assistant" ? { answer: recorded(message, session) } : {}) };
    next = add(next, turn);
    if (turn.answer?.model) next = { ...next, model: turn.answer.model };
    parent = turn.id;
  }
  return next;
}

function recorded(message: Message, session: string): Answer {
  const { answer } = message;
  const milliseconds = (seconds: number | null): number | undefined => (seconds === null ? undefined : seconds * 1000);
  const shown: Answer = {
    status: "done",
    model: answer?.requested ?? "",
    citations: (answer?.citations ?? []).map((each) => ({ page: null, heading: "", support: null, vector_store_id: "", file_id: null, ...each })),
    notices: [],
    missing: [],
    conflicts: [],
    session,
    serverTurn: message.turn_id,
  };
  if (!answer) return shown;
  return {
    ...shown,
    answerId: answer.id,
    traceId: message.trace_id ?? undefined,
    answeredBy: answer.model ?? undefined,
    cache: answer.cache ?? undefined,
    answered: answer.answered ?? undefined,
    finish: answer.finish_reason ?? undefined,
    rating: answer.rating ?? undefined,
    usage: { prompt_tokens: answer.prompt_tokens, completion_tokens: answer.completion_tokens, total_tokens: answer.prompt_tokens + answer.completion_tokens },
    ttftMs: milliseconds(answer.ttft_s),
    totalMs: milliseconds(answer.duration_s),
  };
}

function told(turns: Turn[]): Said[] {
  return turns.filter((turn) => turn.role === "user" || turn.text !== "").map((turn) => ({ role: turn.role, content: turn.text }));
}

export interface Way {
  session: string;
  said: Said[];
  // Another session that this one begins as, up to and with an answer.
  from?: { session: string; answer: Answer };
}

// Where a question is asked: in the session of the answer before it where nothing came after that, otherwise in a new one.
export function way(id: string, index: number, pane: Pane, question: string): Way {
  const whole = OWN + id;
  const turns = before(pane, question);
  const part = `${whole}.${index}-${newId().replaceAll("-", "").slice(0, 12)}`;
  const mine = (turn: Turn): boolean => turn.answer?.status === "done" && (turn.answer.session ?? "").split(".")[0] === whole;
  const at = turns.findLastIndex(mine);
  if (at < 0) {
    const taken = Object.values(pane.turns).some((turn) => turn.answer?.session === whole && RUNNING.has(turn.answer.status));
    return { session: index === 0 && !taken ? whole : part, said: told(turns) };
  }
  const last = turns[at]!;
  const session = last.answer!.session!;
  const said = told(turns.slice(at + 1));
  const after = Object.values(pane.turns).some(
    (turn) => turn.id !== last.id && turn.answer?.session === session && RUNNING.has(turn.answer.status) && before(pane, turn.id).includes(last),
  );
  return after ? { session: part, said, from: { session, answer: last.answer! } } : { session, said };
}

// Makes the session that a way needs. Where the server does not keep the one before any more, all is said anew.
export async function begun(found: Way, all: Said[], signal: AbortSignal): Promise<Way> {
  if (!found.from) return found;
  try {
    const turn = found.from.answer.serverTurn ?? (await turnOf(found.from.session, found.from.answer.traceId ?? "", signal));
    await post(`${sessionUrl(found.from.session)}/fork`, { session_id: found.session, turn_id: turn }, signal);
    return found;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return { session: found.session, said: all };
    throw error;
  }
}

async function turnOf(session: string, trace: string, signal: AbortSignal): Promise<string> {
  const said = await everything<Message>(`${sessionUrl(session)}/messages`, signal);
  const found = said.find((each) => each.trace_id === trace);
  if (!found) throw new ApiError("The answer is not kept any more.", 404, "not_found");
  return found.turn_id;
}
