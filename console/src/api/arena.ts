// Arenas as the server tells them, and a battle as it is answered.
import { ApiError, send, sentence } from "./client";
import { EventParser } from "./sse";

export type Side = "left" | "right";
export type Winner = Side | "tie" | "neither";

export interface Arena {
  id: string;
  categories: string[];
  recorded: boolean;
  votes_per_day: number;
  definition?: { models: string[] };
}

export interface Said {
  text: string;
  error: { code: string; message: string } | null;
}

export interface Battle {
  id: string;
  question: string;
  category: string;
  // Whether there is something to vote on.
  open: boolean;
  left: Said;
  right: Said;
}

export interface Told {
  winner: Winner;
  left: { model: string; answer_id: string };
  right: { model: string; answer_id: string };
}

export interface Estimate {
  value: number;
  low: number;
  high: number;
}

export interface Board {
  votes: number;
  voters: number;
  data: { model: string; rank: number; rating: Estimate; votes: number; wins: number; losses: number; ties: number }[];
  style: Record<string, Estimate>;
  not_compared: string[];
}

export interface Voter {
  id: string;
  votes: number;
  left: number;
  ties: number;
  seconds: number;
  against: number;
  drift: number;
  suspicions: string[];
  weeks: { begins: number; votes: number; agreement: number | null }[];
  excluded: string | null;
}

export function of(arena: string, ...rest: string[]): string {
  return ["/v1/arena", ...[arena, ...rest].map(encodeURIComponent)].join("/");
}

// Begins a battle; `onPiece` is told what each side says as it comes.
export async function battle(
  arena: string,
  body: { question?: string; category?: string },
  onPiece: (side: Side, delta: string) => void,
  signal: AbortSignal,
): Promise<Battle> {
  const response = await send(of(arena, "battles"), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ ...body, stream: true }),
    signal,
  });
  const parser = new EventParser();
  const decoder = new TextDecoder();
  const reader = response.body!.getReader();
  let found: Battle | undefined;
  try {
    for (;;) {
      const read = await reader.read();
      if (read.done) break;
      for (const event of parser.feed(decoder.decode(read.value, { stream: true }))) {
        if (event.data === "[DONE]") continue;
        const frame = JSON.parse(event.data);
        if (frame.error) throw new ApiError(sentence(frame.error.message), 0, frame.error.code, frame.error.param);
        if (frame.object === "arena.delta") onPiece(frame.side, frame.delta);
        else found = frame;
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
  if (!found) throw new ApiError("The battle was cut off before its end.", 0, "cut_off");
  return found;
}

export async function exclude(arena: string, voter: string, excluded: boolean): Promise<void> {
  await send(of(arena, "voters", voter), {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ excluded, reason: excluded ? "excluded in the console" : "" }),
  });
}
