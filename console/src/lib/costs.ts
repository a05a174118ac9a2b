// Lines of the ledger, summed and put on days.
import type { CostLine } from "../api/types";

export interface Totals {
  cost: number;
  calls: number;
  tokens: number;
  hits: number;
  saved: number;
  // Of answers whose price with the large model is known; less than nothing where attempts were thrown away.
  routing: number;
  routed: number;
  unknown: number;
  unpriced: number;
}

export function totals(lines: readonly CostLine[]): Totals {
  const sum = (of: (line: CostLine) => number): number => lines.reduce((all, line) => all + of(line), 0);
  return {
    cost: sum((line) => line.cost_usd),
    calls: sum((line) => line.calls),
    tokens: sum((line) => line.prompt_tokens + line.completion_tokens),
    hits: sum((line) => line.cache_hits),
    saved: sum(saved),
    routing: sum(routing),
    routed: sum((line) => line.routed_answers),
    unknown: sum((line) => line.routing_unknown_answers),
    unpriced: sum((line) => line.unpriced_calls),
  };
}

// US dollars that caches made unnecessary: of parts of prompts, and of whole answers.
function saved(line: CostLine): number {
  return (line.prompt_cache_saved_nanousd + line.answer_cache_saved_nanousd) / 1e9;
}

// US dollars that answers of the router would have cost more with always its large model.
function routing(line: CostLine): number {
  return (line.routing_saved_nanousd ?? 0) / 1e9;
}

// What both saved; undefined where it is nothing but unknown.
export function savings(line: CostLine): number | undefined {
  const caches = saved(line);
  return line.routing_saved_nanousd === null && caches === 0 ? undefined : caches + routing(line);
}

const DAY = 86_400;

// The server keeps days of UTC; each of the latest `days` is there, also those on which nothing was asked.
export function byDay(lines: readonly CostLine[], days: number, now: number): { day: string; lines: CostLine[] }[] {
  const today = Math.floor(now / DAY);
  return Array.from({ length: days }, (_, index) => {
    const day = new Date((today - days + 1 + index) * DAY * 1000).toISOString().slice(0, 10);
    return { day, lines: lines.filter((line) => line.day === day) };
  });
}

export function since(days: number, now: number): number {
  return (Math.floor(now / DAY) - days + 1) * DAY;
}
