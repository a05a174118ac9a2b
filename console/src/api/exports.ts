// Exports for training as the server tells them.

export type ExportStatus = "queued" | "running" | "completed" | "failed" | "deleted";

export interface Copy {
  name: string;
  sha256: string;
  at: number;
}

export interface Erasure {
  at: number;
  rows: number;
  copies: Copy[];
}

export interface LakeExport {
  id: string;
  kind: string;
  format: string;
  name: string;
  status: ExportStatus;
  error: string | null;
  rows: number;
  split: Record<string, number>;
  consent: boolean;
  licence: string;
  erasures: Erasure[];
  created_at: number;
  updated_at: number;
}

export interface ExportDetails extends LakeExport {
  manifest: {
    counts?: Record<string, number>;
    origins?: Record<string, number>;
    models?: Record<string, number>;
    split?: { rows: Record<string, number>; groups: Record<string, number> };
    consent?: { required: boolean; override: string };
    cleaning?: string;
    seed?: number;
    people?: number | null;
  };
  files: { name: string; bytes: number; sha256: string }[];
  copies: Copy[];
}

export interface ExportRow {
  id: string;
  split: string;
  line: number;
  group: number;
  origin: string;
  answers: string[];
  traces: string[];
  event_ids: string[];
}

export const KINDS = ["sft", "preference", "thumbs", "few-shot", "raft", "triplets", "rerank", "reader", "nli", "classification"];
export const FORMATS = ["trl", "axolotl", "openai", "anthropic"];
