// The measures of judged answers, as people read them.

const NAMES: Record<string, string> = {
  context_relevance: "Passages fit the question",
  faithfulness: "Passages support the answer",
  answer_relevancy: "Answer fits the question",
  answer_relevancy_alone: "Answer fits the question, without passages",
  format: "Whole and in its format",
  toxicity: "Free of toxicity",
  personal_data: "Free of personal data",
};

// What is known of every answer at once.
export const FOUND_AT_ONCE = ["format", "toxicity", "personal_data"];

export function measure(name: string): string {
  return NAMES[name] ?? name.replaceAll("_", " ");
}

// Means of scores from 0 to 1.
export function score(value: number): string {
  return value.toFixed(2);
}
