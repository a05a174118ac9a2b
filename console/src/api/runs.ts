// What the routes of agents' runs answer.
import { send } from "./client";
import { EventParser } from "./sse";

export interface Run {
  id: string;
  agent: string;
  agent_version: string;
  status: string;
  output_text: string | null;
  error: { code: string; message: string; step?: string; approval_id?: string } | null;
  session_id: string | null;
  user: string | null;
  metadata: Record<string, string>;
  forked_from: string | null;
  created_by: string;
  created_at: number;
  updated_at: number;
  expires_at: number | null;
  trace_id: string | null;
}

export interface RunStep {
  // Its path within the run.
  id: string;
  // null: it is not done.
  number: number | null;
  kind: string;
  name: string;
  effect: string;
  status: "begun" | "asked" | "unknown" | "done";
  // null: it was too long to be kept.
  input: unknown;
  outcome: unknown;
  approval_id: string | null;
  decided_by: string | null;
  attempts: number;
  began_at: number;
  ended_at: number | null;
}

export interface Replayed {
  identical: boolean;
  output_text: string;
  events_sha256: string;
  recorded_sha256: string | null;
  steps: number;
  unreached_steps: string[];
  error: { code: string; message: string; step?: string } | null;
}

export const OVER = ["completed", "failed", "cancelled"];

export function runUrl(id: string): string {
  return `/v1/agents/runs/${encodeURIComponent(id)}`;
}

// Calls `told` for each event of a run behind the step numbered `after`; returns when the run is over.
export async function watch(id: string, after: number, signal: AbortSignal, told: () => void): Promise<void> {
  const response = await send(`${runUrl(id)}/events?after=${after}`, { signal });
  const reader = response.body!.getReader();
  const parser = new EventParser();
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    if (parser.feed(decoder.decode(value, { stream: true })).length > 0) told();
  }
}
