// @vitest-environment jsdom
import { fireEvent, screen, waitFor } from "@testing-library/react";
import { describe, expect, it, vi } from "vitest";
import type { Replica, Replicas, Scope } from "../../src/api/types";
import { ReplicaTables } from "../../src/pages/live/replicas";
import { ADMIN, calls, serve, show } from "./bench";

const OPERATOR = { ...ADMIN, scopes: ["admin", "operate"] as Scope[] };

function replica(name: string, state: string): Replica {
  return { name, state, weight: 1, running: 0, outstanding_tokens: 0, served: 4, failures: 1, error_rate: 0.2, breaker: "closed", asked_again_in_s: 0, first_token_s: 0.05 };
}

function found(...states: string[]): Replicas {
  return { models: [{ model: "small", policy: "least_tokens", replicas: states.map((state, index) => replica(`small-${index}`, state)) }], routes: [] };
}

describe("replicas", () => {
  it("are not drained by an admin of one tenant", () => {
    show(<ReplicaTables found={found("ready", "drained")} onChange={() => {}} />);
    screen.getByText("drained");
    expect(screen.queryByLabelText("Drain small-0")).toBeNull();
    expect(screen.queryByLabelText("Put small-1 back")).toBeNull();
  });

  it("are drained after a question, without force where another takes calls", async () => {
    const changed = vi.fn();
    serve({ "POST /v1/replicas/drain": {}, "GET /v1/replicas": found("drained", "ready") });
    show(<ReplicaTables found={found("ready", "ready")} onChange={changed} />, OPERATOR);
    fireEvent.click(screen.getByLabelText("Drain small-0"));
    expect(calls).toEqual([]);
    expect(screen.queryByText(/the last one/)).toBeNull();
    fireEvent.click(screen.getByRole("button", { name: "Drain" }));
    await waitFor(() => expect(changed).toHaveBeenCalledWith(found("drained", "ready")));
    expect(calls[0]).toEqual({ method: "POST", path: "/v1/replicas/drain", body: { model: "small", replica: "small-0", force: false } });
  });

  it("the last one is drained by force only, and that is said before", async () => {
    serve({ "POST /v1/replicas/drain": {}, "GET /v1/replicas": found("drained", "drained") });
    show(<ReplicaTables found={found("draining", "ready")} onChange={() => {}} />, OPERATOR);
    fireEvent.click(screen.getByLabelText("Drain small-1"));
    screen.getByText(/the last one that takes calls/);
    fireEvent.click(screen.getByRole("button", { name: "Drain" }));
    await waitFor(() => expect(calls[0]?.body).toEqual({ model: "small", replica: "small-1", force: true }));
  });

  it("that are drained can be put back", async () => {
    const changed = vi.fn();
    serve({ "POST /v1/replicas/undrain": {}, "GET /v1/replicas": found("ready", "ready") });
    show(<ReplicaTables found={found("drained", "ready")} onChange={changed} />, OPERATOR);
    fireEvent.click(screen.getByLabelText("Put small-0 back"));
    await waitFor(() => expect(changed).toHaveBeenCalled());
    expect(calls[0]!.path).toBe("/v1/replicas/undrain");
  });
});
