// Numbers and times as people read them.

// Of requests that name no application: searches, embeddings of none.
export const UNNAMED = "no application";

const WHOLE = new Intl.NumberFormat("en-GB");

export function count(value: number): string {
  return WHOLE.format(value);
}

export function short(value: number): string {
  if (Math.abs(value) < 10_000) return WHOLE.format(Math.round(value));
  if (Math.abs(value) < 1e6) return `${trimmed(value / 1e3)}k`;
  return `${trimmed(value / 1e6)}M`;
}

function trimmed(value: number): string {
  return value.toFixed(value < 100 ? 1 : 0).replace(/\.0$/, "");
}

// Cents matter in sums, and most answers cost less than one.
export function money(usd: number): string {
  if (usd === 0) return "$0";
  if (usd < 0) return `−${money(-usd)}`;
  if (usd >= 1) return `$${usd.toLocaleString("en-GB", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  if (usd < 1e-6) return `$${usd.toExponential(1)}`;
  return `$${usd.toLocaleString("en-GB", { maximumSignificantDigits: 3, maximumFractionDigits: 9 })}`;
}

export function milliseconds(value: number): string {
  if (value === 0) return "0 ms";
  if (value < 1) return `${value.toFixed(2)} ms`;
  if (value < 10) return `${value.toFixed(1)} ms`;
  if (value < 1000) return `${Math.round(value)} ms`;
  if (value < 60_000) return `${(value / 1000).toFixed(value < 10_000 ? 2 : 1)} s`;
  return `${Math.floor(value / 60_000)} min ${Math.round((value % 60_000) / 1000)} s`;
}

export function bytes(value: number): string {
  if (value < 1000) return `${value} B`;
  if (value < 1e6) return `${trimmed(value / 1e3)} kB`;
  return `${trimmed(value / 1e6)} MB`;
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

// Seconds since 1970 as a moment of this machine's time.
export function moment(seconds: number): string {
  const at = new Date(seconds * 1000);
  const time = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return at.toDateString() === new Date().toDateString() ? time : `${day(seconds)}, ${time.slice(0, 5)}`;
}

// As an input for dates and times has it.
export function localMoment(seconds: number): string {
  const at = new Date(seconds * 1000);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export function day(seconds: number): string {
  return new Date(seconds * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}

export function share(part: number, whole: number): string {
  if (part === 0 && whole > 0) return "0 %";
  return whole > 0 ? `${((100 * part) / whole).toFixed(part / whole < 0.1 ? 1 : 0)} %` : "–";
}

// Seconds as people say them, of milliseconds to days.
export function duration(seconds: number): string {
  if (seconds < 60) return milliseconds(1000 * seconds);
  if (seconds < 3600) return plural(Math.round(seconds / 60), "minute");
  if (seconds < 48 * 3600) return plural(Number((seconds / 3600).toFixed(seconds < 36_000 ? 1 : 0)), "hour");
  return plural(Math.round(seconds / 86_400), "day");
}

// A share of one; near the whole to as many places as tell it apart.
export function percent(part: number): string {
  const value = 100 * part;
  return `${Number(value.toFixed(part > 0.99 && part < 1 ? 2 : 1))} %`;
}
