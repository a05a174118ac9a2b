// What the routes of the support desk answer.
import { get, post, send } from "./client";
import { EventParser } from "./sse";
import type { List } from "./types";

export interface Case {
  id: string;
  number: string;
  kind: "ticket" | "escalation";
  status: "open" | "taken" | "waiting" | "closed";
  queue: string;
  priority: "low" | "normal" | "high" | "urgent";
  topic: string | null;
  language: string | null;
  subject: string;
  reason: string | null;
  body: string | null;
  customer: string | null;
  references: Record<string, string>;
  channel: string;
  agent: string | null;
  run_id: string | null;
  session_id: string | null;
  attended: boolean;
  assignee: { id: string; name: string } | null;
  resolution: string | null;
  created_at: number;
  updated_at: number;
  due_at: number | null;
  late: boolean;
  version: number;
}

export interface CaseMessage {
  id: string;
  author: "customer" | "agent" | "person" | "note" | "event";
  name: string | null;
  text: string;
  created_at: number;
}

export interface Suggestion {
  id: string;
  text: string;
  source: "knowledge" | "tools" | "greeting";
  citations: { number: number; source: string; text: string }[];
  decision: string | null;
}

export interface Assist {
  summary: string;
  method: string;
  // Whether more is being made.
  preparing: boolean;
  hints: { collection: string; source: string; heading: string; text: string }[];
  facts: { name: string; value: string; from: string }[];
  suggestions: Suggestion[];
  made_at: number;
}

export interface CaseView extends Case {
  messages: CaseMessage[];
  assist: Assist | null;
}

export interface Queue {
  id: string;
  open: number;
  taken: number;
  waiting: number;
  closed: number;
  late: number;
}

export interface Person {
  id: string;
  name: string;
  queues: string[];
}

export function caseUrl(number: string): string {
  return `/v1/desk/cases/${encodeURIComponent(number)}`;
}

export function act(number: string, what: string, body: unknown = {}): Promise<Case> {
  return post<Case>(`${caseUrl(number)}/${what}`, body);
}

export function listPeople(signal: AbortSignal): Promise<List<Person>> {
  return get<List<Person>>("/v1/desk/people", signal);
}

// Calls `told` with each event of a stream until it ends.
export async function follow<T>(url: string, signal: AbortSignal, told: (found: T) => void): Promise<void> {
  const response = await send(url, { signal });
  const reader = response.body!.getReader();
  const parser = new EventParser();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    for (const event of parser.feed(decoder.decode(value, { stream: true }))) told(JSON.parse(event.data) as T);
  }
}
