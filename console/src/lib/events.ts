// Recorded events of a kind, back to a moment, and how they fall on time.
import { get } from "../api/client";
import type { EventRecord, List } from "../api/types";

const PAGE = 100;
// More than a page of figures needs; who wants all of them reads the API.
const MOST = 3000;

export interface Recorded {
  events: EventRecord[];
  // There are older ones in the time asked for, which were not read.
  cut: boolean;
}

export async function recorded(kind: string, since: number, signal: AbortSignal): Promise<Recorded> {
  const events: EventRecord[] = [];
  let after = "";
  while (events.length < MOST) {
    const page = await get<List<EventRecord>>(`/v1/events?kind=${kind}&limit=${PAGE}&order=desc${after}`, signal);
    for (const event of page.data) {
      if (event.created_at < since) return { events, cut: false };
      events.push(event);
    }
    if (!page.has_more || !page.last_id) return { events, cut: false };
    after = `&after=${encodeURIComponent(page.last_id)}`;
  }
  return { events, cut: true };
}

export interface Slot {
  at: number;
  counts: Map<string, number>;
}

// Counts by `of` in slots of `width` seconds that end with the one that holds `now`.
export function slots<T>(
  rows: readonly T[],
  { now, width, many }: { now: number; width: number; many: number },
  at: (row: T) => number,
  of: (row: T) => [string, number],
): Slot[] {
  const last = Math.floor(now / width);
  const made = Array.from({ length: many }, (_, index) => ({ at: (last - many + 1 + index) * width, counts: new Map<string, number>() }));
  for (const row of rows) {
    const slot = made[Math.floor(at(row) / width) - last + many - 1];
    if (!slot) continue;
    const [name, count] = of(row);
    slot.counts.set(name, (slot.counts.get(name) ?? 0) + count);
  }
  return made;
}

// Sums by name, the largest first.
export function sums<T>(rows: readonly T[], of: (row: T) => [string, number]): [string, number][] {
  const found = new Map<string, number>();
  for (const row of rows) {
    const [name, count] = of(row);
    found.set(name, (found.get(name) ?? 0) + count);
  }
  return [...found].sort((a, b) => b[1] - a[1]);
}
