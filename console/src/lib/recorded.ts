// What an answer's record holds: what was asked, as the guards let it pass, and what was answered.
import type { Citation, EventRecord } from "../api/types";

export interface Recorded {
  messages: { role: string; content: string }[];
  text: string;
  reasoning: string;
  citations: Citation[];
}

export function answerOf(event: EventRecord): Recorded | null {
  if (!event.content) return null;
  try {
    const found = JSON.parse(event.content);
    const first = found.choices?.[0] ?? {};
    return { messages: found.messages ?? [], text: first.text ?? "", reasoning: first.reasoning ?? "", citations: found.citations ?? [] };
  } catch {
    return { messages: [], text: event.content, reasoning: "", citations: [] };
  }
}
