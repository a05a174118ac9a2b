// The times that pages look back over, and how finely they cut them.

export type Period = "1h" | "24h" | "7d" | "30d";

export const PERIODS: { value: Period; label: string }[] = [
  { value: "1h", label: "1 hour" },
  { value: "24h", label: "24 hours" },
  { value: "7d", label: "7 days" },
  { value: "30d", label: "30 days" },
];

const CUT: Record<Period, { width: number; many: number }> = {
  "1h": { width: 120, many: 30 },
  "24h": { width: 3600, many: 24 },
  "7d": { width: 6 * 3600, many: 28 },
  "30d": { width: 86_400, many: 30 },
};

export function cutOf(period: Period, now: number): { now: number; width: number; many: number; since: number } {
  const { width, many } = CUT[period];
  return { now, width, many, since: (Math.floor(now / width) - many + 1) * width };
}

// What a slot is called below its bar.
export function slotName(at: number, width: number): string {
  const date = new Date(at * 1000);
  const day = date.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  if (width >= 86_400) return day;
  const time = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  return width >= 3 * 3600 ? `${day}, ${time}` : time;
}
