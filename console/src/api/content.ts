// Articles and notebooks, as the server tells them.
import type { List } from "./types";

export type ArticleStatus = "queued" | "running" | "plan_pending" | "completed" | "denied" | "failed" | "cancelled" | "paused" | "interrupted";

export interface PlannedSection {
  heading: string;
  questions: string[];
}

export interface Plan {
  title: string;
  sections: PlannedSection[];
  origin: string;
}

export interface Source {
  kind: "document" | "web";
  id: string;
  title: string;
  collection: string;
  collection_id: string;
  file_id: string | null;
  url: string;
}

export interface Evidence {
  source: number;
  quote: string;
  start: number;
  end: number;
  page: number | null;
  heading: string;
}

export interface Statement {
  text: string;
  state: "verbatim" | "supported" | "marked" | "struck";
  evidence: number[];
  support: number;
  reason: string;
}

export interface Section {
  heading: string;
  paragraphs: { kind: "text" | "list"; lead: string; statements: Statement[] }[];
  missing: string[];
}

export interface Article {
  title: string;
  mode: "extractive" | "written";
  model: string;
  sections: Section[];
  sources: Source[];
  evidence: Evidence[];
  seo: { title: string; slug: string; description: string; keywords: string[]; problems: string[] };
  overlaps: { source: number; words: number; text: string; attributed: boolean }[];
  remarks: { code: string; text: string }[];
  costs: { step: string; tokens: number; cost_nanousd: number; seconds: number; limit: string }[];
}

export interface Version {
  number: number;
  change: string | null;
  created_at: number;
  figures: Record<string, number>;
  article: Article;
}

export interface Brief {
  topic: string;
  kind: string;
  length: string;
  collections: string[];
}

export interface KeptArticle {
  id: string;
  status: ArticleStatus;
  stage: string | null;
  brief: Brief;
  plan: Plan | null;
  run_id: string | null;
  version: number;
  error: string | null;
  created_at: number;
  content?: Version;
}

export interface NotebookRow {
  id: string;
  name: string;
  document_count: number;
  created_at: number;
}

export interface Recording {
  id: string;
  script: { voice: string; text: string }[];
  created_at: number;
}

export interface Notebook extends NotebookRow {
  documents: { document_id: string; file_id: string | null; name: string; collection_id: string }[];
  gone: number;
  recordings?: Recording[];
}

export interface Study {
  kind: string;
  parts: { heading: string; lines: { label: string; text: string; evidence: number[] }[] }[];
  sources: Source[];
  evidence: Evidence[];
  remarks: string[];
}

export type Articles = List<KeptArticle>;
export const ARTICLES = "/v1/content/articles";
export const NOTEBOOKS = "/v1/content/notebooks";
export const STUDIES: [string, string][] = [
  ["summary", "Summary"],
  ["key_points", "Key points"],
  ["timeline", "Timeline"],
  ["faq", "Questions and answers"],
  ["study_guide", "Study guide"],
  ["comparison", "Comparison of two"],
];

export function articleUrl(id: string): string {
  return `${ARTICLES}/${encodeURIComponent(id)}`;
}

export function notebookUrl(id: string): string {
  return `${NOTEBOOKS}/${encodeURIComponent(id)}`;
}
