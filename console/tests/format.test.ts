import { describe, expect, it } from "vitest";
import { byDay, savings, since, totals } from "../src/lib/costs";
import { bytes, milliseconds, money, plural, share, short } from "../src/lib/format";
import { parse, path } from "../src/lib/route";
import type { CostLine } from "../src/api/types";

describe("numbers", () => {
  it("are as exact as people read them", () => {
    expect([money(-0.25), money(0), money(12.345), money(0.00012345), money(2e-8)]).toEqual(["−$0.25", "$0", "$12.35", "$0.000123", "$2.0e-8"]);
    expect([milliseconds(0.25), milliseconds(12.4), milliseconds(1500), milliseconds(75_000)]).toEqual(["0.25 ms", "12 ms", "1.50 s", "1 min 15 s"]);
    expect([short(950), short(12_500), short(3_000_000)]).toEqual(["950", "12.5k", "3M"]);
    expect([bytes(12), bytes(2048), plural(1, "day"), plural(2, "day"), share(1, 40), share(1, 0)]).toEqual(["12 B", "2 kB", "1 day", "2 days", "2.5 %", "–"]);
  });
});

describe("costs", () => {
  const line = (day: string, cost: number): CostLine => ({
    day, calls: 1, prompt_tokens: 2, completion_tokens: 3, cached_tokens: 0, cost_usd: cost,
    prompt_cache_saved_nanousd: 1e9, answer_cache_saved_nanousd: 2e9, cache_hits: 1, unpriced_calls: 0,
    routed_answers: 1, routing_saved_nanousd: 4e9, routing_unknown_answers: 0,
  });

  it("stand on each day of the period, also those without", () => {
    const now = Date.UTC(2026, 2, 3, 15) / 1000;
    const days = byDay([line("2026-03-02", 1), line("2026-01-01", 5)], 3, now);
    expect(days.map((each) => [each.day, totals(each.lines).cost])).toEqual([["2026-03-01", 0], ["2026-03-02", 1], ["2026-03-03", 0]]);
    expect(since(3, now)).toBe(Date.UTC(2026, 2, 1) / 1000);
    expect(savings(line("x", 0))).toBe(7);
    expect(savings({ ...line("x", 0), routing_saved_nanousd: null })).toBe(3);
  });
});

describe("addresses", () => {
  it("come back as they were made", () => {
    const made = path("knowledge", "a/b c", "ü");
    expect(made).toBe("/console/knowledge/a%2Fb%20c/%C3%BC");
    expect(parse(`${made}?view=search`)).toMatchObject({ page: "knowledge", rest: ["a/b c", "ü"] });
    expect(parse("/console").page).toBe("");
  });
});
