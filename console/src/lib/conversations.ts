// The conversations of whoever is signed in. The server keeps what was said, under the key that asked; this browser what is
// not there (yet), and how a conversation was set up. Answers go on being written while other pages are looked at.
import { useSyncExternalStore } from "react";
import { ask, NOTHING_SET, type Mode, type Parameters, type Piece } from "../api/ask";
import { ApiError, remove } from "../api/client";
import { toast } from "../ui/toast";
import { ANSWERS, NO_FILES, settled as settledFiles, type Attached } from "./attached";
import { newId } from "./ids";
import * as server from "./server_kept";
import { add, branch, change, emptyPane, messages, type Answer, type Pane, type Turn } from "./tree";

export interface Conversation {
  id: string;
  title: string;
  at: number;
  panes: Pane[];
  set: Parameters;
  attached?: Attached;
  // The server keeps it; what was said in it is here only once it was `loaded`.
  kept?: boolean;
  loaded?: boolean;
  // It was given a title that the server does not know yet.
  untold?: boolean;
}

const MOST = 100;
const PREFIX = "mainspring.conversations.";

let owner = "";
// The server's list has come, or cannot.
let ready = false;
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
  ready = false;
  tell();
  void meet(owner);
}

// What the server keeps and this browser does not know is added, what it keeps no more is dropped.
async function meet(who: string): Promise<void> {
  try {
    const { found, all: whole } = await server.listed("");
    if (owner !== who) return;
    const there = new Map(found.map((each) => [each.id, each]));
    const here = all.filter((each) => !each.kept || !whole || there.has(each.id) || each.loaded).map((each) => {
      const told = there.get(each.id);
      there.delete(each.id);
      return told ? { ...each, kept: true, title: each.untold ? each.title : told.title || each.title, at: Math.max(each.at, told.at) } : each;
    });
    all = [...here, ...[...there.values()].map(foreign)].sort((one, other) => other.at - one.at);
  } catch {
    // What this browser knows can be used meanwhile.
  }
  ready = true;
  tell();
}

function foreign(known: server.Known): Conversation {
  return { ...known, panes: [emptyPane("")], set: NOTHING_SET, kept: true };
}

export function useReady(): boolean {
  return useSyncExternalStore(listen, () => ready);
}

// Conversations in which words were said, also those that are not here yet.
export async function search(words: string, signal: AbortSignal): Promise<Set<string>> {
  const { found } = await server.listed(words, signal);
  const news = found.filter((each) => !find(each.id)).map(foreign);
  if (news.length > 0) set([...all, ...news]);
  return new Set(found.map((each) => each.id));
}

// Brings what was said in a conversation from the server.
export async function load(id: string): Promise<void> {
  const conversation = find(id);
  if (!conversation?.kept || conversation.loaded) return;
  try {
    const panes = await server.load(id);
    update(id, (each) => {
      if (each.loaded) return each;
      const shown = panes.map((pane, index) => ({ ...pane, model: each.panes[index]?.model || pane.model }));
      return { ...each, panes: [...shown, ...each.panes.slice(shown.length)], loaded: true };
    });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404) throw error;
    set(all.filter((each) => each.id !== id));
  }
}

// What the server does not keep stays in the browser, for the next time that the same key signs in.
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
  return { ...conversation, panes, loaded: false, attached: settledFiles(conversation.attached ?? NO_FILES) };
}

function tell(): void {
  for (const listener of listeners) listener();
}

// Soon, and not for every word of an answer.
function save(): void {
  saving ??= setTimeout(write, 300);
}

// Text that the server keeps is kept nowhere else: what is erased there is gone.
function stored(each: Conversation): Conversation {
  const { loaded: _, ...rest } = each;
  return each.kept ? { ...rest, panes: each.panes.map((pane) => emptyPane(pane.model)) } : rest;
}

function write(): void {
  clearTimeout(saving);
  saving = undefined;
  if (!owner) return;
  for (let kept = all.slice(0, MOST).map(stored); kept.length > 0; kept = kept.slice(0, -5)) {
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

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useConversations(): Conversation[] {
  return useSyncExternalStore(listen, () => all);
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
  update(id, (each) => ({ ...each, title: title.trim() || each.title, untold: true }));
  tellTitle(id);
}

function tellTitle(id: string): void {
  const conversation = find(id);
  if (!conversation?.kept || !conversation.untold) return;
  server.entitle(id, conversation.title).then(
    () => update(id, (each) => ({ ...each, untold: each.title !== conversation.title })),
    (error: unknown) => toast(error instanceof ApiError ? error.message : "The title was not kept."),
  );
}

// Nothing of what was said stays behind, in the browser or on the server.
export async function forgetAll(): Promise<void> {
  for (const stopping of running.values()) stopping.abort();
  clearTimeout(saving);
  saving = undefined;
  const gone = all.filter((each) => each.kept);
  if (owner) localStorage.removeItem(owner);
  owner = "";
  all = [];
  tell();
  for (const each of gone) await unkept(each.id);
}

// Whether the server has it no more; why not is told.
async function unkept(id: string): Promise<boolean> {
  try {
    await remove(server.url(id));
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return true;
    toast(error instanceof ApiError ? error.message : "The conversation was not deleted on the server.");
    return false;
  }
}

// It is gone from the list when it is gone from the server.
export async function forget(id: string): Promise<void> {
  const gone = find(id);
  for (const pane of gone?.panes ?? []) for (const turn of Object.keys(pane.turns)) running.get(turn)?.abort();
  if (gone?.kept && !(await unkept(id))) return;
  set(all.filter((each) => each.id !== id));
}

export function branchOff(conversation: Conversation, index: number, turn: string): Conversation {
  const pane = branch(conversation.panes[index]!, turn);
  const made = { ...conversation, id: newId(), title: conversation.title, at: Date.now() / 1000, panes: [pane], kept: false, loaded: false, untold: conversation.title !== "" };
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
    title: each.title || server.short(text),
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
  const found = server.way(id, index, pane, question);
  empty.session = found.session;
  const all = messages(pane, question);
  async function* asking(signal: AbortSignal, anew: boolean): AsyncGenerator<Piece> {
    const { session, said } = await server.begun(found, all, signal);
    yield* ask(pane!.model, said, set, signal, anew, session);
  }
  updatePane(id, index, (each) => add(each, turn));
  void follow(id, index, turn.id, asking, fresh);
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
    if (end.status === "done") {
      update(id, (each) => ({ ...each, kept: true, loaded: true }));
      tellTitle(id);
    }
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
