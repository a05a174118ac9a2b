// The conversations of whoever is signed in. They are kept in this browser, under the key that asked, and answers go on
// being written while other pages are looked at.
import { useSyncExternalStore } from "react";
import { ask, NOTHING_SET, type Mode, type Parameters, type Piece } from "../api/ask";
import { ApiError } from "../api/client";
import { ANSWERS, NO_FILES, settled as settledFiles, type Attached } from "./attached";
import { newId } from "./ids";
import { add, branch, change, emptyPane, messages, type Answer, type Pane, type Turn } from "./tree";

export interface Conversation {
  id: string;
  title: string;
  at: number;
  panes: Pane[];
  set: Parameters;
  attached?: Attached;
}

const MOST = 100;
const PREFIX = "mainspring.conversations.";

let owner = "";
let all: Conversation[] = [];
const listeners = new Set<() => void>();
const running = new Map<string, AbortController>();
let saving: ReturnType<typeof setTimeout> | undefined;

export function open(keyId: string): void {
  owner = PREFIX + keyId;
  try {
    all = (JSON.parse(localStorage.getItem(owner) ?? "[]") as Conversation[]).map(settled);
  } catch {
    all = [];
  }
  tell();
}

// What was said stays in the browser, for the next time that the same key signs in.
export function leave(): void {
  for (const stopping of running.values()) stopping.abort();
  write();
  all = [];
  owner = "";
  tell();
}

// What was being written when the tab was closed never came to its end.
function settled(conversation: Conversation): Conversation {
  const ended = (turn: Turn): Turn =>
    turn.answer?.status === "waiting" || turn.answer?.status === "writing"
      ? { ...turn, answer: { ...turn.answer, status: "stopped" } }
      : turn;
  const panes = conversation.panes.map((pane) => ({
    ...pane,
    turns: Object.fromEntries(Object.entries(pane.turns).map(([id, turn]) => [id, ended(turn)])),
  }));
  return { ...conversation, panes, attached: settledFiles(conversation.attached ?? NO_FILES) };
}

function tell(): void {
  for (const listener of listeners) listener();
}

// Soon, and not for every word of an answer.
function save(): void {
  saving ??= setTimeout(write, 300);
}

function write(): void {
  clearTimeout(saving);
  saving = undefined;
  if (!owner) return;
  for (let kept = all.slice(0, MOST); kept.length > 0; kept = kept.slice(0, -5)) {
    try {
      localStorage.setItem(owner, JSON.stringify(kept));
      return;
    } catch {
      // The browser's room is full: the oldest go.
    }
  }
  localStorage.removeItem(owner);
}

addEventListener("pagehide", () => {
  if (saving !== undefined) write();
});

function set(next: Conversation[]): void {
  all = next;
  tell();
  save();
}

export function useConversations(): Conversation[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => all,
  );
}

export function make(models: string[], parameters: Parameters = NOTHING_SET): Conversation {
  return { id: newId(), title: "", at: Date.now() / 1000, panes: models.map(emptyPane), set: parameters };
}

export function find(id: string): Conversation | undefined {
  return all.find((each) => each.id === id);
}

export function put(conversation: Conversation): void {
  set([conversation, ...all.filter((each) => each.id !== conversation.id)]);
}

export function update(id: string, by: (conversation: Conversation) => Conversation): void {
  set(all.map((each) => (each.id === id ? by(each) : each)));
}

export function updatePane(id: string, index: number, by: (pane: Pane) => Pane): void {
  update(id, (each) => ({ ...each, panes: each.panes.map((pane, at) => (at === index ? by(pane) : pane)) }));
}

export function rename(id: string, title: string): void {
  update(id, (each) => ({ ...each, title: title.trim() || each.title }));
}

// Nothing of what was said stays behind in the browser.
export function forgetAll(): void {
  for (const stopping of running.values()) stopping.abort();
  clearTimeout(saving);
  saving = undefined;
  if (owner) localStorage.removeItem(owner);
  all = [];
  tell();
}

export function forget(id: string): void {
  const gone = find(id);
  for (const pane of gone?.panes ?? []) for (const turn of Object.keys(pane.turns)) running.get(turn)?.abort();
  set(all.filter((each) => each.id !== id));
}

export function branchOff(conversation: Conversation, index: number, turn: string): Conversation {
  const pane = branch(conversation.panes[index]!, turn);
  const made = { ...conversation, id: newId(), title: conversation.title, at: Date.now() / 1000, panes: [pane] };
  put(made);
  return made;
}

export function stop(turn: string): void {
  running.get(turn)?.abort();
}

// Ask in every pane, each with what was said in it; `parents` are the turns before the question.
export function say(id: string, text: string, parents: string[]): void {
  update(id, (each) => ({
    ...each,
    at: Date.now() / 1000,
    title: each.title || text.trim().replace(/\s+/g, " ").slice(0, 80),
  }));
  parents.forEach((parent, index) => {
    const turn: Turn = { id: newId(), parent, role: "user", text };
    updatePane(id, index, (pane) => add(pane, turn));
    answer(id, index, turn.id);
  });
}

// Another wording of a question, beside the first.
export function reword(id: string, index: number, turn: Turn, text: string): void {
  const anew: Turn = { id: newId(), parent: turn.parent, role: "user", text };
  updatePane(id, index, (pane) => add(pane, anew));
  answer(id, index, anew.id);
}

// `mode`: this answer alone is to be given so.
export function answer(id: string, index: number, question: string, fresh = false, mode?: Mode): void {
  const conversation = find(id);
  const pane = conversation?.panes[index];
  if (!conversation || !pane) return;
  const empty: Answer = {
    status: "waiting",
    model: pane.model,
    citations: [],
    notices: [],
    missing: [],
    conflicts: [],
  };
  const set = parameters(conversation, pane.model, mode);
  if (set.mode) empty.mode = set.mode;
  const turn: Turn = { id: newId(), parent: question, role: "assistant", text: "", answer: empty };
  const said = messages(pane, question);
  updatePane(id, index, (each) => add(each, turn));
  void follow(id, index, turn.id, ask.bind(null, pane.model, said, set), fresh);
}

// Files that were attached bound what document-qa answers from.
function parameters(conversation: Conversation, model: string, mode?: Mode): Parameters {
  const store = conversation.attached?.store;
  const set = mode ? { ...conversation.set, mode } : conversation.set;
  return store && model === ANSWERS ? { ...set, collections: [store.name] } : set;
}

type Asking = (signal: AbortSignal, fresh: boolean) => AsyncGenerator<Piece>;

async function follow(id: string, index: number, turn: string, asking: Asking, fresh: boolean): Promise<void> {
  const stopping = new AbortController();
  running.set(turn, stopping);
  const began = performance.now();
  let waiting: Piece[] = [];
  let drawing = 0;
  const amend = (by: (answer: Answer, text: string) => [Answer, string]): void =>
    updatePane(id, index, (pane) =>
      change(pane, turn, (each) => {
        const [answer, text] = by(each.answer!, each.text);
        return { ...each, answer, text };
      }),
    );
  // Tokens may come faster than the page can be drawn.
  const draw = (): void => {
    clearTimeout(drawing);
    drawing = 0;
    const pieces = waiting;
    waiting = [];
    if (pieces.length > 0) amend((answer, text) => pieces.reduce(written, [answer, text]));
  };
  let end: Partial<Answer> = { status: "done" };
  try {
    for await (const piece of asking(stopping.signal, fresh)) {
      if (piece.kind === "text" && end.ttftMs === undefined) end.ttftMs = performance.now() - began;
      waiting.push(piece);
      drawing ||= window.setTimeout(draw, 30);
    }
  } catch (error) {
    if (stopping.signal.aborted) end = { ...end, status: "stopped" };
    else end = { ...end, status: "failed", error: told(error) };
  } finally {
    draw();
    running.delete(turn);
    amend((answer, text) => [{ ...answer, ...end, stage: undefined, totalMs: performance.now() - began }, text]);
  }
}

function told(error: unknown): { message: string; code: string } {
  if (error instanceof ApiError) return { message: error.message, code: error.code };
  return { message: "The answer could not be read.", code: "unreadable" };
}

function written([answer, text]: [Answer, string], piece: Piece): [Answer, string] {
  switch (piece.kind) {
    case "head":
      return [
        {
          ...answer,
          traceId: piece.traceId,
          answerId: piece.answerId,
          answeredBy: piece.model,
          cache: piece.cache,
          instead: piece.instead,
        },
        text,
      ];
    case "text":
      return [{ ...answer, status: "writing", stage: undefined }, text + piece.text];
    case "reasoning":
      return [{ ...answer, reasoning: (answer.reasoning ?? "") + piece.text }, text];
    case "citations":
      return [{ ...answer, citations: [...answer.citations, ...piece.citations] }, text];
    case "notices":
      return [{ ...answer, notices: [...answer.notices, ...piece.notices] }, text];
    case "answered":
      return [{ ...answer, answered: piece.answered, sought: piece.sought }, text];
    case "missing":
      return [{ ...answer, missing: [...answer.missing, ...piece.missing] }, text];
    case "conflicts":
      return [{ ...answer, conflicts: [...answer.conflicts, ...piece.conflicts] }, text];
    case "usage":
      return [{ ...answer, usage: piece.usage }, text];
    case "finish":
      return [{ ...answer, finish: piece.reason }, text];
    case "progress":
      return [{ ...answer, stage: piece.stage }, text];
  }
}
