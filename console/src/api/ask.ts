// One answer of a model, an application or a collection, as it is written.
import { ApiError, send, sentence } from "./client";
import { EventParser } from "./sse";
import type { Citation, Conflict, Notice, Usage } from "./types";

export interface Said {
  role: "system" | "user" | "assistant";
  content: string;
}

export type Mode = "" | "extractive" | "generative";

export interface Parameters {
  system: string;
  preset: string;
  temperature: string;
  top_p: string;
  max_tokens: string;
  seed: string;
  // Of documents: as the server thinks best, their own words, or written by a model.
  mode?: Mode;
  // Of document-qa: the collections that it answers from; all where there are none.
  collections?: string[];
}

export const NOTHING_SET: Parameters = { system: "", preset: "", temperature: "", top_p: "", max_tokens: "", seed: "" };

export type Piece =
  | { kind: "head"; traceId: string; answerId: string; model: string; cache: string; instead: string; run: string }
  | { kind: "text"; text: string }
  | { kind: "reasoning"; text: string }
  | { kind: "citations"; citations: Citation[] }
  | { kind: "notices"; notices: Notice[] }
  | { kind: "answered"; answered: boolean; sought: string[] }
  | { kind: "missing"; missing: string[] }
  | { kind: "conflicts"; conflicts: Conflict[] }
  | { kind: "usage"; usage: Usage }
  | { kind: "finish"; reason: string }
  | { kind: "progress"; stage: string };

// Fields that are left empty are left to the server.
// `fresh`: who asks for another answer does not want the one that is kept.
export function body(model: string, said: Said[], set: Parameters, fresh = false, session = ""): Record<string, unknown> {
  const messages = set.system.trim() ? [{ role: "system", content: set.system.trim() }, ...said] : said;
  const made: Record<string, unknown> = { model, messages, stream: true, stream_options: { include_usage: true } };
  for (const name of ["temperature", "top_p", "max_tokens", "seed"] as const) {
    if (set[name].trim() !== "") made[name] = Number(set[name]);
  }
  if (session) made.session_id = session;
  const options = {
    ...(set.preset ? { preset: set.preset } : {}),
    ...(fresh ? { cache: false } : {}),
    ...(set.mode ? { mode: set.mode } : {}),
    ...(set.collections?.length ? { collections: set.collections } : {}),
  };
  if (Object.keys(options).length > 0) made.options = options;
  return made;
}

export async function* ask(
  model: string,
  said: Said[],
  set: Parameters,
  signal: AbortSignal,
  fresh = false,
  session = "",
): AsyncGenerator<Piece> {
  const headers = { "content-type": "application/json" };
  const response = await send("/v1/chat/completions", {
    method: "POST",
    headers,
    body: JSON.stringify(body(model, said, set, fresh, session)),
    signal,
  });
  const header = (name: string): string => response.headers.get(name) ?? "";
  yield {
    kind: "head",
    traceId: header("x-trace-id"),
    answerId: header("x-answer-id"),
    model: header("x-model"),
    cache: header("x-cache"),
    instead: header("x-mainspring-instead-of"),
    // Of agents: the run that the answer leaves.
    run: header("x-mainspring-run"),
  };
  yield* pieces(response.body!, header("x-trace-id"));
}

export async function* pieces(stream: ReadableStream<Uint8Array>, traceId: string): AsyncGenerator<Piece> {
  const stages: string[] = [];
  const parser = new EventParser((text) => stages.push(text));
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  let done = false;
  try {
    while (!done) {
      const read = await reader.read();
      if (read.done) break;
      for (const event of parser.feed(decoder.decode(read.value, { stream: true }))) {
        if (event.data === "[DONE]") done = true;
        else yield* chunk(JSON.parse(event.data), traceId);
      }
      for (const stage of stages.splice(0)) if (stage) yield { kind: "progress", stage };
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
  if (!done) throw new ApiError("The answer was cut off before its end.", 0, "cut_off", null, traceId);
}

function* chunk(frame: any, traceId: string): Generator<Piece> {
  if (frame.error) throw new ApiError(sentence(frame.error.message), 0, frame.error.code, frame.error.param, traceId);
  if (frame.usage) yield { kind: "usage", usage: frame.usage };
  for (const choice of frame.choices ?? []) {
    const delta = choice.delta ?? {};
    if (delta.content) yield { kind: "text", text: delta.content };
    if (delta.reasoning_content) yield { kind: "reasoning", text: delta.reasoning_content };
    if (delta.citations) yield { kind: "citations", citations: delta.citations };
    if (delta.notices) yield { kind: "notices", notices: delta.notices };
    if (typeof delta.answered === "boolean") yield { kind: "answered", answered: delta.answered, sought: delta.sought ?? [] };
    if (delta.missing) yield { kind: "missing", missing: delta.missing };
    if (delta.conflicts) yield { kind: "conflicts", conflicts: delta.conflicts };
    if (choice.finish_reason) yield { kind: "finish", reason: choice.finish_reason };
  }
}
