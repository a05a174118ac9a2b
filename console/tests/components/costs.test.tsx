// @vitest-environment jsdom
import { fireEvent, screen, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import CostsPage from "../../src/pages/costs/page";
import { ADMIN, calls, serve, show } from "./bench";

const LINE = {
  calls: 3, prompt_tokens: 100, completion_tokens: 20, cached_tokens: 0, cost_usd: 0.5, prompt_cache_saved_nanousd: 0,
  answer_cache_saved_nanousd: 25e7, cache_hits: 1, routed_answers: 0, routing_saved_nanousd: 0, routing_unknown_answers: 0, unpriced_calls: 0,
};

function spent(line: object): void {
  const today = new Date().toISOString().slice(0, 10);
  serve({
    "GET /v1/costs": (call: { path: string }) => ({ data: [{ ...LINE, ...line, [/by=(\w+)/.exec(call.path)![1]!]: call.path.includes("by=day") ? today : "small" }] }),
    "GET /v1/keys": { data: [] },
    "GET /v1/budgets": { data: [] },
  });
}

function figure(name: string): HTMLElement {
  return screen.getByText(name).parentElement!;
}

describe("what routing saved", () => {
  it("is a sum beside what caches saved, and part of each line", async () => {
    spent({ routed_answers: 4, routing_saved_nanousd: 175e7 });
    show(<CostsPage />);
    await screen.findByText("Saved by routing");
    within(figure("Saved by routing")).getByText("$1.75");
    within(figure("Saved by routing")).getByText("4 answers of auto, against its large model");
    within(figure("Saved by caches")).getByText("$0.25");
    within(screen.getByRole("region", { name: "By model" })).getByText("$2.00");
  });

  it("may be less than nothing", async () => {
    spent({ routed_answers: 1, routing_saved_nanousd: -5e8, answer_cache_saved_nanousd: 0 });
    show(<CostsPage />);
    await screen.findByText("Saved by routing");
    within(figure("Saved by routing")).getByText("−$0.5");
  });

  it("is unknown, and no nothing, where no price is", async () => {
    spent({ routed_answers: 2, routing_saved_nanousd: null, routing_unknown_answers: 2, answer_cache_saved_nanousd: 0 });
    show(<CostsPage />);
    await screen.findByText("Saved by routing");
    within(figure("Saved by routing")).getByText("unknown");
    within(figure("Saved by routing")).getByText("0 of 2 answers of auto");
    within(screen.getByRole("region", { name: "By model" })).getByText("unknown");
    screen.getByText(/What routing saved on 2 answers is unknown/);
  });

  it("says how much of it is known", async () => {
    spent({ routed_answers: 3, routing_saved_nanousd: 1e9, routing_unknown_answers: 1 });
    show(<CostsPage />);
    await screen.findByText("Saved by routing");
    within(figure("Saved by routing")).getByText("$1.00");
    within(figure("Saved by routing")).getByText("2 of 3 answers of auto");
    expect(screen.getByText(/on 1 answer is unknown/)).toBeTruthy();
  });

  it("is nothing where nothing was routed", async () => {
    spent({});
    show(<CostsPage />);
    await screen.findByText("Saved by routing");
    within(figure("Saved by routing")).getByText("no answer of auto so far");
    expect(screen.queryByText(/is unknown/)).toBeNull();
  });
});

describe("the costs of all tenants", () => {
  it("are not offered to a key that may not see them", async () => {
    spent({});
    show(<CostsPage />);
    await screen.findByText("Saved by routing");
    expect(screen.queryByRole("button", { name: "All tenants" })).toBeNull();
    expect(calls.some((call) => call.path.includes("tenant"))).toBe(false);
  });

  it("are sums by tenant and model, without what others call their keys and applications", async () => {
    spent({});
    const line = (tenant: string, cost_usd: number): object => ({ ...LINE, tenant, cost_usd });
    const today = { ...LINE, day: new Date().toISOString().slice(0, 10), cost_usd: 4 };
    serve({
      "GET /v1/costs": (call: { path: string }) => {
        if (!call.path.includes("all_tenants=true")) return { data: [{ ...LINE, day: today.day, model: "small" }] };
        return { data: call.path.includes("by=tenant") ? [line("default", 1), line("acme", 3)] : call.path.includes("by=day") ? [today] : [{ ...LINE, model: "small", cost_usd: 4 }] };
      },
    });
    show(<CostsPage />, { ...ADMIN, scopes: ["admin", "operate"] });
    fireEvent.click(await screen.findByRole("button", { name: "All tenants" }));
    const table = within(await screen.findByRole("region", { name: "By tenant" }));
    expect(table.getAllByRole("row").slice(1).map((row) => row.textContent)).toEqual([expect.stringContaining("acme"), expect.stringContaining("default (this one)")]);
    table.getByText("$3.00");
    within(figure("Spent")).getByText("$4.00");
    expect(screen.queryByRole("region", { name: "By key" })).toBeNull();
    expect(screen.queryByRole("region", { name: "Budgets" })).toBeNull();
    fireEvent.click(screen.getByRole("button", { name: "This tenant" }));
    await screen.findByRole("region", { name: "By key" });
  });
});
