// @vitest-environment jsdom
import { fireEvent, screen, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { CampaignView } from "../../src/pages/improve/campaign";
import ImprovePage from "../../src/pages/improve/page";
import { ADMIN, calls, refusal, serve, show } from "./bench";

const RUNG = { rung: 0, recipe: "answering", kind: "answering", stage: "comparing", outcome: "refused", reason: "not shown better: +0.010 [-0.020, 0.040]", figures: { difference: 0.01, p_value: 0.43219 }, candidate: "cand_1", version: "shorter@1", at: 20 };
const CAMPAIGN = {
  id: "imp_1", application: "handbook", policy_version: 2, trigger: "feedback", stage: "canary", reason: "", rung: 1, recipe: "examples", kind: "examples",
  candidate: "cand_2", version: "shown@3", rungs: [RUNG], made_with: { export: "exp_1", comparison: "experiment_1" }, seconds: 12, created_at: 10, entered_at: 30, ended_at: null,
};
const APPLICATION = {
  application: "handbook",
  policy: { version: 2, enabled: true, created_at: 1, policy: { watch: { feedback: 50, drift: true, every_s: null }, rungs: [{ recipe: "answering", kind: "answering" }, { recipe: "examples", kind: "examples" }], gate: false } },
  watched: { feedback: 12, fresh: true, begun_at: 10, rest_until: null },
  budget: { spent_s: 12, left_s: null },
  placement: { current: { id: "cand_0", kind: "prompt", version: null }, candidate: { id: "cand_2", kind: "examples", version: "shown@3" }, stage: "canary", share: 0.2, since: 30 },
  campaigns: [CAMPAIGN],
};
const WHOLE = {
  ...CAMPAIGN,
  stages: [{ stage: "exporting", now: false }, { stage: "comparing", now: false }, { stage: "canary", now: true }, { stage: "watching", now: false }],
  steps: [
    { at: 10, from: "", stage: "exporting", rung: 1, reason: "", figures: {}, by: null },
    { at: 20, from: "exporting", stage: "comparing", rung: 1, reason: "40 rows", figures: { rows: 40 }, by: "key_1" },
  ],
};

it("an application tells what is in use, what is tried out, and when it begins again", async () => {
  serve({ "GET /v1/improve": { data: [APPLICATION] } });
  show(<ImprovePage />);
  const card = within(await screen.findByRole("region", { name: "handbook" }));
  card.getByText("after 50 pieces of feedback (12 so far), or when quality drifts");
  expect(card.getByText("Tried out").nextSibling?.textContent).toContain("examples shown@3 canary, 20 % of the traffic");
  card.getByText("answering, then examples");
  expect(card.getByText("canary", { selector: ".badge" })).toBeTruthy();
});

it("the last promotion is undone, and what the server refuses is said", async () => {
  serve({ "GET /v1/improve": { data: [APPLICATION] }, "POST /v1/improve/applications/handbook/undo": {}, "POST /v1/improve/policies/handbook/run": refusal(409, "a campaign is under way") });
  show(<ImprovePage />);
  fireEvent.click(await screen.findByRole("button", { name: "Undo the last promotion" }));
  fireEvent.click(screen.getByRole("button", { name: "Begin a campaign" }));
  await screen.findByText("handbook", { selector: "h2" });
  expect(calls.filter((each) => each.method === "POST").map((each) => each.path)).toEqual(["/v1/improve/applications/handbook/undo", "/v1/improve/policies/handbook/run"]);
});

it("who is no administrator only looks", async () => {
  serve({ "GET /v1/improve": { data: [APPLICATION] } });
  show(<ImprovePage />, { ...ADMIN, scopes: ["improve"] });
  await screen.findByRole("region", { name: "handbook" });
  expect(screen.queryByRole("button", { name: "Begin a campaign" })).toBeNull();
});

it("a campaign shows where it stands, what came of each recipe, and each decision", async () => {
  serve({ "GET /v1/improve/campaigns/imp_1": WHOLE });
  show(<CampaignView id="imp_1" />);
  const stages = within(await screen.findByRole("region", { name: "Stages" })).getAllByRole("listitem");
  expect(stages.map((each) => each.textContent)).toEqual(["exporting, done", "comparing, done", "canary, now", "watching, not reached"]);
  const tried = within(screen.getByRole("group", { name: "Result of each recipe" }));
  tried.getByText(RUNG.reason);
  tried.getByText("difference 0.01, p value 0.432");
  const decided = within(screen.getByRole("group", { name: "Decisions in their order" }));
  decided.getByText("40 rows");
  expect(decided.getByText("the loop")).toBeTruthy();
  expect(screen.getByRole("link", { name: "experiment_1" }).getAttribute("href")).toBe("/console/experiments/experiment_1");
});

it("where there is no policy the page says how to set one", async () => {
  serve({ "GET /v1/improve": { data: [] } });
  show(<ImprovePage />);
  await screen.findByText("No application has a policy");
});
