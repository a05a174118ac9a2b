// A conversation with branches: every turn knows the one before it, and for each turn one of those after it is shown.
import type { Mode, Said } from "../api/ask";
import type { Citation, Conflict, Notice, Usage } from "../api/types";

export interface Answer {
  status: "waiting" | "writing" | "done" | "stopped" | "failed";
  model: string;
  error?: { message: string; code: string };
  reasoning?: string;
  stage?: string;
  // Of documents: whether these answer the question, and what was looked for in vain.
  answered?: boolean;
  sought?: string[];
  // How it was asked to be given: in the documents' own words, or written.
  mode?: Mode;
  citations: Citation[];
  notices: Notice[];
  missing: string[];
  conflicts: Conflict[];
  usage?: Usage;
  // What all calls of the request cost in US dollars, embedding and reranking too.
  costUsd?: number;
  traceId?: string;
  answerId?: string;
  answeredBy?: string;
  cache?: string;
  instead?: string;
  finish?: string;
  ttftMs?: number;
  totalMs?: number;
  rating?: "up" | "down";
  edited?: boolean;
  // The session of the server that keeps it, and its turn there where that is known.
  session?: string;
  serverTurn?: string;
}

export interface Turn {
  id: string;
  parent: string;
  role: "user" | "assistant";
  text: string;
  answer?: Answer;
}

export interface Pane {
  model: string;
  turns: Record<string, Turn>;
  // The turn that is shown after each: by the id of the one before, "" before the first.
  shown: Record<string, string>;
}

export const ROOT = "";

export function emptyPane(model: string): Pane {
  return { model, turns: {}, shown: {} };
}

export function path(pane: Pane): Turn[] {
  const found: Turn[] = [];
  let turn = pane.turns[pane.shown[ROOT] ?? ""];
  while (turn) {
    found.push(turn);
    turn = pane.turns[pane.shown[turn.id] ?? ""];
  }
  return found;
}

export function siblings(pane: Pane, turn: Turn): Turn[] {
  return Object.values(pane.turns).filter((each) => each.parent === turn.parent);
}

export function add(pane: Pane, turn: Turn): Pane {
  return {
    ...pane,
    turns: { ...pane.turns, [turn.id]: turn },
    shown: { ...pane.shown, [turn.parent]: turn.id },
  };
}

export function change(pane: Pane, id: string, by: (turn: Turn) => Turn): Pane {
  const turn = pane.turns[id];
  return turn ? { ...pane, turns: { ...pane.turns, [id]: by(turn) } } : pane;
}

export function choose(pane: Pane, turn: Turn): Pane {
  return { ...pane, shown: { ...pane.shown, [turn.parent]: turn.id } };
}

export function before(pane: Pane, id: string): Turn[] {
  const found: Turn[] = [];
  for (let turn = pane.turns[id]; turn; turn = pane.turns[turn.parent]) found.unshift(turn);
  return found;
}

// A conversation of its own with what was said up to and with a turn.
export function branch(pane: Pane, id: string): Pane {
  return before(pane, id).reduce(add, emptyPane(pane.model));
}

// What the server is told when it is to answer the turn `id`: answers that failed before they said anything are no part.
export function messages(pane: Pane, id: string): Said[] {
  return before(pane, id)
    .filter((turn) => turn.role === "user" || turn.text !== "")
    .map((turn) => ({ role: turn.role, content: turn.text }));
}
