// What steps of a run say in one line, and what they cost.
import type { RunStep } from "../api/runs";

interface Reply {
  text?: string;
  calls?: [string, string, string][];
  usage?: [number, number, number, number];
}

interface Asked {
  messages?: { role: string; content: unknown }[];
}

interface Told {
  output?: unknown;
  error?: string;
  approved?: boolean;
  decision?: string;
  note?: string;
}

export interface Spent {
  read: number;
  written: number;
  usd: number;
}

export function spent(steps: RunStep[]): Spent {
  const sum = { read: 0, written: 0, usd: 0 };
  for (const step of steps) {
    const [read = 0, written = 0, , nanousd = 0] = (step.kind === "model" && (step.outcome as Reply | null)?.usage) || [];
    sum.read += read;
    sum.written += written;
    sum.usd += nanousd / 1e9;
  }
  return sum;
}

export function line(step: RunStep): string {
  const outcome = step.outcome;
  if (outcome === null || outcome === undefined) return "";
  if (typeof outcome !== "object") return String(outcome);
  if (step.kind === "model") {
    const { text = "", calls = [] } = outcome as Reply;
    return [text, ...calls.map(([, name, given]) => `${name}(${given})`)].filter(Boolean).join(" → ");
  }
  if (step.kind === "input") {
    const last = (outcome as Asked).messages?.findLast((each) => each.role === "user")?.content;
    return typeof last === "string" ? last : JSON.stringify(last ?? outcome);
  }
  const { output, error, decision, note } = outcome as Told;
  if (step.kind === "approval") return [decision, note].filter(Boolean).join(": ");
  if (error) return error;
  if (output === null) return "";
  return output === undefined ? JSON.stringify(outcome) : typeof output === "string" ? output : JSON.stringify(output);
}

export function failed(step: RunStep): boolean {
  return step.kind !== "model" && typeof step.outcome === "object" && Boolean((step.outcome as Told | null)?.error);
}
