// Insights as the server tells them.

export interface TrendPoint {
  day: string;
  count: number;
  spike: boolean;
}

export type Outcome = "open" | "resolved" | "escalated" | "abandoned" | "refused";

export interface Group {
  conversations: number;
  share: number;
  outcomes: Record<Outcome, number>;
  resolved: number | null;
  sentiment: number | null;
  sentiment_course: number | null;
  trend: TrendPoint[];
}

export interface Summary extends Group {
  applications: string[];
}

export interface Topic extends Group {
  id: string;
  name: string;
  named_by: "words" | "person" | "settings";
  words: string[];
  pinned: boolean;
  created_at: number;
}

export interface Topics {
  data: Topic[];
  other: Group;
}

export interface Conversation {
  id: string;
  session_id: string | null;
  application: string;
  // null: its words may not be seen, or are gone.
  opening: string | null;
  started_at: number;
  ended_at: number;
  turns: number;
  topic: string | null;
  outcome: Outcome;
  why: string;
  sentiment: number | null;
  sentiment_course: number | null;
  mood: string;
  said?: Turn[];
}

export interface Turn {
  answer_id: string;
  trace_id: string;
  at: number;
  text: string | null;
  sentiment: number | null;
  mood: string;
  refused: boolean;
  rating: string | null;
  tools_ok: number;
  tools_failed: number;
}

export interface Gap {
  question: string;
  turns: number;
  conversations: number;
  reasons: Record<string, number>;
  recent: number;
  earlier: number;
  last_at: number;
  nearest: { collection: string; source: string; text: string; score: number } | null;
  examples: { text: string; trace_id: string; conversation_id: string; at: number; reasons: string[] }[];
}

export interface FaqEntry {
  id: string;
  question: string;
  answer: string;
  citations: { source?: string; quote?: string }[];
  conversations: number;
  status: "draft" | "approved" | "rejected";
  updated_at: number;
}
