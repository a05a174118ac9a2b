// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import type { Alert } from "../../src/api/monitor";
import { AlertsView } from "../../src/pages/quality/alerts";
import { DriftView } from "../../src/pages/quality/drift";
import { ObjectivesView } from "../../src/pages/quality/objectives";
import { calls, serve, show } from "./bench";

const ALERT: Alert = {
  id: "alert_1", rule: "latency", application: "support", name: "", severity: "critical", state: "firing", summary: "support: p95 of ttft 2 s",
  raised_at: Date.now() / 1000 - 120, cleared_at: null, acknowledged_by: "", acknowledged_at: null, silenced: false,
  signals: [{ name: "ttft", value: 2, limit: 0.5, unit: "s", samples: 40, wrong: true, before: 0.2, examples: ["0123456789abcdef"] }],
  runbook: "https://wiki.example/runbooks#latency",
};

describe("alerts", () => {
  it("say what is wrong, lead to examples and a runbook, and are acknowledged", async () => {
    serve({ "GET /v1/alerts": { data: [ALERT] }, "GET /v1/silences": { data: [] }, "POST /v1/alerts/alert_1/acknowledge": {} });
    show(<AlertsView />);
    await screen.findByText("support: p95 of ttft 2 s");
    expect(screen.getByText("01234567").getAttribute("href")).toBe("/console/traces/0123456789abcdef");
    expect(screen.getByText("Runbook").getAttribute("href")).toBe(ALERT.runbook);
    screen.getByText("500 ms");
    serve({ "GET /v1/alerts": { data: [{ ...ALERT, acknowledged_at: 5, acknowledged_by: "key_1" }] } });
    fireEvent.click(screen.getByText("Acknowledge"));
    await screen.findByText("acknowledged");
    expect(screen.queryByText("Acknowledge")).toBeNull();
  });

  it("whose runbook is no address of the web have no link", async () => {
    serve({ "GET /v1/alerts": { data: [{ ...ALERT, runbook: "javascript:alert(1)" }] }, "GET /v1/silences": { data: [] } });
    const { container } = show(<AlertsView />);
    await screen.findByText("javascript:alert(1)");
    expect(container.querySelector("a[href^=javascript]")).toBeNull();
  });

  it("are silenced for a while, with what they are about filled in", async () => {
    serve({ "GET /v1/alerts": { data: [ALERT] }, "GET /v1/silences": { data: [] }, "POST /v1/silences": {} });
    show(<AlertsView />);
    fireEvent.click(await screen.findByText("Silence"));
    fireEvent.change(screen.getByLabelText("For"), { target: { value: "24" } });
    serve({ "GET /v1/silences": { data: [{ id: "sil_1", rule: "latency", application: "support", comment: "", created_by: "key_1", created_at: 1, until: 2 }] }, "DELETE /v1/silences/sil_1": {} });
    fireEvent.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Silence" }));
    await waitFor(() => expect(calls.find((call) => call.method === "POST")?.body).toEqual({ rule: "latency", application: "support", seconds: 86_400, comment: "" }));
    fireEvent.click(await screen.findByText("End"));
    await waitFor(() => expect(calls.some((call) => call.method === "DELETE")).toBe(true));
  });
});

it("drift is accepted after a question", async () => {
  const drift = {
    application: "support", state: "drifted", raised_at: 5, accepted_at: null,
    features: [
      { name: "input", statistic: "psi", value: 0.1, limit: 0.25, reference: 300, current: 100, drifted: false },
      { name: "questions", statistic: "mean_shift", value: 30, limit: 12, reference: 300, current: 100, drifted: true },
    ],
  };
  serve({ "GET /v1/drift": { data: [drift] }, "POST /v1/drift/accept": {} });
  const { container } = show(<DriftView />);
  await screen.findByText("drifted");
  // What is furthest beyond its limit stands first.
  expect(container.querySelector("tbody tr")!.textContent).toContain("questions");
  fireEvent.click(screen.getByText("Accept the change"));
  fireEvent.click(screen.getByRole("button", { name: "Accept" }));
  await waitFor(() => expect(calls.at(-2)).toMatchObject({ path: "/v1/drift/accept", body: { application: "support" } }));
});

it("an objective whose budget is spent says so", async () => {
  const objective = { name: "availability", application: "support", kind: "availability", target: 0.995, under_s: null, requests: 1000, bad: 20, reached: 0.98, budget_left: -3, burn_rates: { "3600": 4, "300": 1 } };
  serve({ "GET /v1/slos": { data: [objective, { ...objective, application: "idle", requests: 0, bad: 0, reached: null, budget_left: 1 }] } });
  show(<ObjectivesView />);
  await screen.findByText("budget spent");
  screen.getByText("98 %");
  screen.getAllByText(/4\.0× over 1 hour/);
  screen.getByText("no requests");
});
