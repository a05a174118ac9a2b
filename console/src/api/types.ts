// What the server's routes answer, as far as the console reads it.

// One of those that `/v1/scopes` lists: features declare theirs.
export type Scope = string;

export interface Me {
  tenant: string;
  key_id: string;
  key_name: string;
  scopes: Scope[];
  groups: string[];
  tier: string;
}

export interface List<T> {
  data: T[];
  has_more?: boolean;
  last_id?: string | null;
}

export interface Model {
  id: string;
  kind: string;
  created: number;
}

// A model that is on its way, and cannot be asked yet.
export interface Coming {
  id: string;
  state: "waiting" | "pulling" | "loading" | "served" | "failed";
  stage: string;
  done: number;
  total: number;
  detail: string;
}

export interface Models extends List<Model> {
  coming?: Coming[];
}

export interface Preset {
  id: string;
  description: string;
  source: string;
  sampling: Record<string, number>;
}

export interface Citation {
  index: number;
  document_id: string;
  source: string;
  quote: string;
  start: number;
  end: number;
  page: number | null;
  heading: string;
  support: number | null;
  vector_store_id: string;
  file_id: string | null;
}

export interface Notice {
  code: string;
  text: string;
}

export interface Claim {
  citation: number;
  value: string;
  source: string;
  modified_at: number;
  newest: boolean;
}

export interface Conflict {
  about: string;
  claims: Claim[];
}

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details?: { cached_tokens: number };
  cost_usd?: number;
}

export interface Passage {
  data: { text: string }[];
  filename: string;
  start: number;
  end: number;
  before: string;
  after: string;
  length: number;
}

export interface TraceRow {
  id: string;
  started_at: number;
  start_ns: string;
  duration_ms: number;
  name: string;
  operation: string;
  model: string | null;
  answered_by: string | null;
  answer_id: string | null;
  status: string;
  error: string | null;
  ttft_ms: number | null;
  cache: string | null;
  input_tokens: number;
  output_tokens: number;
  cost_usd: number;
  spans: number;
  // Of documents: whether these answered. null where none were asked.
  answered?: boolean | null;
  question?: string | null;
  key_id?: string | null;
  session_id?: string | null;
}

export interface Span {
  id: string;
  parent_id: string | null;
  name: string;
  started_at: number;
  start_ns: string;
  duration_ms: number;
  status: string;
  attributes: Record<string, unknown>;
}

export interface EventRecord {
  id: string;
  created_at: number;
  kind: string;
  subject: string;
  trace_id: string | null;
  facts: Record<string, unknown>;
  content: string | null;
  consent: boolean;
}

export interface Store {
  id: string;
  name: string;
  created_at: number;
  description: string;
  status: string;
  file_counts: { in_progress: number; completed: number; failed: number; cancelled: number; total: number };
  usage_bytes: number;
  groups: string[];
  version: number;
  metadata?: Record<string, string>;
}

export interface StoreFile {
  id: string;
  created_at: number;
  status: "in_progress" | "completed" | "failed" | "cancelled";
  last_error: { code: string; message: string } | null;
  usage_bytes: number;
  filename: string;
  document_id: string;
  chunks: number;
  pages: number | null;
}

export interface Chunk {
  id: string;
  index: number;
  text: string;
  start: number;
  end: number;
  page: number | null;
  heading: string;
}

export interface ChunkPage extends List<Chunk> {
  total: number;
  filename: string;
}

export interface SearchHit {
  file_id: string;
  filename: string;
  score: number;
  chunk_id: string;
  page: number | null;
  heading: string;
  start: number;
  end: number;
  content: { text: string }[];
  snippet?: { text: string; start: number; highlights: { start: number; end: number }[] };
  ranking: {
    dense: { rank: number; score: number };
    lexical: { rank: number | null; score: number | null };
    rerank_score: number | null;
  };
}

export interface SearchPage extends List<SearchHit> {
  search_query: string[];
  steps: { name: string; milliseconds: number; changed: boolean; note: string }[];
}

// Where a chunk that was found stands; its document has changed since where it has no start.
export interface FoundPlace {
  id: string;
  vector_store_id: string;
  vector_store_name: string;
  file_id: string;
  document_id: string;
  filename: string;
  page: number | null;
  heading: string;
  start: number | null;
  end: number | null;
  beginning: string;
}

export interface CostLine {
  day?: string;
  tenant?: string;
  model?: string;
  key?: string;
  application?: string;
  calls: number;
  prompt_tokens: number;
  completion_tokens: number;
  cached_tokens: number;
  cost_usd: number;
  prompt_cache_saved_nanousd: number;
  answer_cache_saved_nanousd: number;
  cache_hits: number;
  routed_answers: number;
  // null where none of them has a price to compare with.
  routing_saved_nanousd: number | null;
  routing_unknown_answers: number;
  unpriced_calls: number;
}

export interface Budget {
  id: string;
  name: string;
  scope: "tenant" | "key" | "application";
  subject: string;
  window: "day" | "month" | "total";
  hard: boolean;
  limit_usd: number | null;
  limit_tokens: number | null;
  resets_at: number | null;
  spent_usd: number;
  spent_tokens: number;
  exceeded: boolean;
}

export interface Key {
  id: string;
  name: string;
  hint: string;
  scopes: Scope[];
  groups: string[];
  tier: string;
  models?: string[];
  collections?: string[];
  regions?: string[];
  parent?: string | null;
  status: "active" | "revoked" | "expired";
  created_at: number;
  expires_at: number | null;
  last_used_at: number | null;
  secret?: string;
}

export interface Rates {
  requests_per_minute: number;
  tokens_per_minute: number;
  requests_per_day: number;
}

export interface Limits {
  default: Rates;
  tiers: Record<string, Rates>;
  max_output_tokens: number | null;
  default_output_tokens: number | null;
}

// What all keys of the tenant may take together; null: no limit, or not counted for a tenant as a whole.
export interface Quota {
  name: string;
  what: string;
  limit: number | null;
  used: number | null;
}

export interface Replica {
  name: string;
  state: string;
  weight: number;
  running: number;
  outstanding_tokens: number;
  served: number;
  failures: number;
  error_rate: number;
  breaker: string;
  asked_again_in_s: number;
  first_token_s: number | null;
}

export interface Route {
  name: string;
  arms: { name: string; model: string; weight: number; given: number }[];
  shadows: { name: string; model: string; share: number }[];
  fallback: string[];
}

export interface Replicas {
  models: { model: string; policy: string; replicas: Replica[] }[];
  routes: Route[];
}
