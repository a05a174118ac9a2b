// When a suggestion is asked for: the rules of features/compose/rules/trigger.py, with the same cases as tests.
export type Waits = "few_words" | "within_word" | "typing" | "within_text";

export const LEAST_WORDS = 3;
export const PAUSE_MS = 100;
const WORD = /[\p{L}\p{N}_]+(?:['’-][\p{L}\p{N}_]+)*/gu;

// Why nothing is suggested at the cursor between `before` and `after`; null: it is.
export function waits(before: string, after: string, pauseMs: number | null, leastWords = LEAST_WORDS, pause = PAUSE_MS): Waits | null {
  if (after.trim() && !after.startsWith("\n")) return "within_text";
  if ((before.match(WORD) ?? []).length < leastWords) return "few_words";
  if (!/\s$/.test(before)) return "within_word";
  return pauseMs !== null && pauseMs < pause ? "typing" : null;
}
