// What the routes of the prompt registry answer.

export interface PromptInfo {
  id: string;
  created_at: number;
  latest: number;
  count: number;
  labels: Record<string, { version: number; revision: number }>;
}

export interface PromptMessage {
  role: string;
  content: string;
}

export interface PromptVersion {
  id: string;
  version: number;
  created_at: number;
  author: string | null;
  note: string;
  variables: string[];
  deleted_at: number | null;
  messages?: PromptMessage[];
}

export interface Prompt extends PromptInfo {
  versions: PromptVersion[];
}

export interface PromptDiff {
  from: number;
  to: number;
  variables_added: string[];
  variables_removed: string[];
  diff: string;
}

export interface Move {
  label: string;
  revision: number;
  kind: string;
  version: number | null;
  at: number;
  author: string | null;
  note: string;
}
