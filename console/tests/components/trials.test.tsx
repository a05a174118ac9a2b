// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { TrialView } from "../../src/pages/trials/trial";
import { ADMIN, calls, serve, show } from "./bench";

const interval = (n: number, value: number, low: number, high: number): object => ({ n, value, low, high, at: 1_790_000_000 });
const TRIAL = {
  id: "prompts", created_at: 1, status: "running", winner: null, dropped: {}, weights: { canary: 1, stable: 3 }, unit: "session",
  definition: { route: "helper", control: "stable", alpha: 0.05, adaptive: false, promote: false },
  verdict: "canary is best.", best: "canary", metric: "feedback", mismatch: 0.4, sound: true, waiting: 2, moved: 0, needed: 60,
  arms: [
    { name: "canary", units: 40, successes: 30, rate: 0.75, evidence: { stable: 1.2 }, sequence: [interval(1, 0, -1, 1), interval(8, 0.25, -0.5, 0.75), interval(64, 0.2, 0.1, 0.3)], guards: [{ metric: "latency", state: "broken", worse_by: 0.05, relative: true, difference: interval(40, 0.2, 0.1, 0.3) }] },
    { name: "stable", units: 120, successes: 66, rate: 0.55, evidence: {}, sequence: [], guards: [] },
  ],
};

it("an arm stands beside its control with difference, interval and guards, and its course begins with the first unit", async () => {
  serve({ "GET /v1/trials/prompts": TRIAL });
  const { container } = show(<TrialView name="prompts" />);
  const rows = within(await screen.findByRole("group", { name: "Arms" })).getAllByRole("row").slice(1).map((row) => [...row.querySelectorAll("td")].map((cell) => cell.textContent));
  expect(rows).toEqual([
    ["canary", "1", "40", "75 %", "+20.0 [+10.0, +30.0]", "latency: broken", "shown better"],
    ["stable control", "3", "120", "55 %", "–", "", "0 % of what shows it"],
  ]);
  const places = container.querySelector(".course polyline")!.getAttribute("points")!.split(" ").map((each) => Number(each.split(",")[0]));
  expect(places).toEqual([0, 300, 600]);
  expect(container.querySelector("figcaption")!.textContent).not.toContain("T");
});

it("an end says who gets the traffic, and only an admin can end it", async () => {
  serve({ "GET /v1/trials/prompts": TRIAL, "POST /v1/trials/prompts/end": { ...TRIAL, status: "ended", winner: "canary" } });
  const { unmount } = show(<TrialView name="prompts" />);
  fireEvent.click(await screen.findByText("End it"));
  const dialog = within(await screen.findByRole("dialog"));
  fireEvent.click(dialog.getByText("End it"));
  await waitFor(() => expect(calls.find((each) => each.method === "POST")?.body).toEqual({ promote: "canary" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  unmount();
  show(<TrialView name="prompts" />, { ...ADMIN, scopes: ["trials"] });
  await screen.findByText("canary is best.");
  expect(screen.queryByText("End it")).toBeNull();
});
