// What the routes of agents answer.

export type Definition = Record<string, unknown>;

export interface Agent {
  id: string;
  // "api": the tenant's own; else where it is changed.
  source: string;
  version: number | string;
  description: string;
  // null: written in Python.
  definition: Definition | null;
  note?: string;
  created_by?: string;
  created_at?: number;
}

export function agentUrl(name: string): string {
  return `/v1/agents/${encodeURIComponent(name)}`;
}
