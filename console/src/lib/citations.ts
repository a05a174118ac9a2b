// Marks of citations in the text of an answer: "[1]" where the answer has a citation of that number.
import type { Citation } from "../api/types";

export type Part = { text: string } | { cites: number };

const MARK = /\[(\d{1,3})\]/g;

export function parts(text: string, known: ReadonlySet<number>): Part[] {
  const found: Part[] = [];
  let from = 0;
  for (const match of text.matchAll(MARK)) {
    const number = Number(match[1]);
    if (!known.has(number)) continue;
    if (match.index > from) found.push({ text: text.slice(from, match.index) });
    found.push({ cites: number });
    from = match.index + match[0].length;
  }
  if (from < text.length) found.push({ text: text.slice(from) });
  return found;
}

export function numbers(citations: readonly Citation[]): Set<number> {
  return new Set(citations.map((each) => each.index));
}

export function place(citation: Citation): string {
  return [citation.source, citation.page ? `page ${citation.page}` : "", citation.heading].filter(Boolean).join(" · ");
}
