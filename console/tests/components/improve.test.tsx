// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { CampaignView } from "../../src/pages/improve/campaign";
import ImprovePage from "../../src/pages/improve/page";
import { ADMIN, calls, refusal, serve, show } from "./bench";

const RUNG = { rung: 0, recipe: "answering", kind: "answering", stage: "comparing", outcome: "refused", reason: "not shown better: +0.010 [-0.020, 0.040]", figures: { difference: 0.01, p_value: 0.43219 }, candidate: "cand_1", version: "shorter@1", at: 20 };
const CAMPAIGN = {
  id: "imp_1", application: "handbook", policy_version: 2, trigger: "feedback", stage: "canary", reason: "", rung: 1, recipe: "examples",
  stages: [{ stage: "exporting", now: false }, { stage: "comparing", now: false }, { stage: "canary", now: true }, { stage: "watching", now: false }], kind: "examples",
  candidate: "cand_2", version: "shown@3", rungs: [RUNG], made_with: { export: "exp_1", comparison: "experiment_1" }, seconds: 12, created_at: 10, entered_at: 30, ended_at: null,
};
const APPLICATION = {
  application: "handbook",
  policy: { version: 2, enabled: true, created_at: 1, policy: { watch: { feedback: 50, drift: true, every_s: null }, rungs: [{ recipe: "answering", kind: "answering" }, { recipe: "examples", kind: "examples" }], gate: false } },
  watched: { feedback: 112, fresh: 12, begun_at: 10, rest_until: null },
  budget: { spent_s: 12, left_s: null },
  placement: { current: { id: "cand_0", kind: "prompt", version: null }, candidate: { id: "cand_2", kind: "examples", version: "shown@3" }, stage: "canary", share: 0.2, since: 30 },
  campaigns: [CAMPAIGN],
};
const WHOLE = {
  ...CAMPAIGN,
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
  const way = within(card.getByRole("group", { name: "Stages of the campaign under way" })).getAllByRole("listitem");
  expect(way.map((each) => each.textContent)).toEqual(["exporting, done", "comparing, done", "canary, now", "watching, not reached"]);
});

it("the last promotion is undone with its reason, and what the server refuses is said", async () => {
  serve({ "GET /v1/improve": { data: [APPLICATION] }, "POST /v1/improve/applications/handbook/undo": { undone: "cand_0" }, "POST /v1/improve/policies/handbook/run": refusal(409, "a campaign is under way") });
  show(<ImprovePage />);
  fireEvent.click(await screen.findByRole("button", { name: "Undo the last promotion" }));
  expect(calls.some((each) => each.method === "POST")).toBe(false);
  fireEvent.change(screen.getByLabelText("Reason"), { target: { value: "people complained" } });
  fireEvent.click(screen.getByRole("button", { name: "Undo" }));
  await waitFor(() => expect(screen.queryByLabelText("Reason")).toBeNull());
  fireEvent.click(screen.getByRole("button", { name: "Begin a campaign" }));
  await screen.findByText("handbook", { selector: "h2" });
  const sent = calls.filter((each) => each.method === "POST");
  expect(sent.map((each) => each.path)).toEqual(["/v1/improve/applications/handbook/undo", "/v1/improve/policies/handbook/run"]);
  expect(sent[0]!.body).toEqual({ reason: "people complained" });
});

it("a refused undo stays open with the reason", async () => {
  serve({ "GET /v1/improve": { data: [APPLICATION] }, "POST /v1/improve/applications/handbook/undo": refusal(409, "nothing was promoted") });
  show(<ImprovePage />);
  fireEvent.click(await screen.findByRole("button", { name: "Undo the last promotion" }));
  fireEvent.click(screen.getByRole("button", { name: "Undo" }));
  await screen.findByText("Nothing was promoted.");
  screen.getByLabelText("Reason");
});

it("a campaign that waits for a person leads to the approvals", async () => {
  serve({ "GET /v1/improve/campaigns/imp_1": { ...WHOLE, stage: "waiting", made_with: { approval: "approval_1" } } });
  show(<CampaignView id="imp_1" />);
  await screen.findByText(/A person has to approve it/);
  for (const name of ["Approvals", "approval_1"]) expect(screen.getByRole("link", { name }).getAttribute("href")).toBe("/console/approvals");
});

const VARIANT = {
  id: "cand_2", application: "handbook", kind: "examples", version: "shown@3", campaign: "imp_1", export: "exp_1", dataset: null, made_at: 20, promoted_at: 40, withdrawn_at: 50, reason: "thumbs fell",
  answers: { total: 1200, data: ["ans_9"] },
  sources: { total: 1, data: [{ answer_id: "ans_1", trace_id: "0123456789abcdef", feedback: [{ id: "evt_1", rating: "down", edited: true }] }] },
  rows: [{ split: "train", line: 7, answers: ["ans_1"] }],
};

it("lineage leads from an answer to the feedback behind what gave it, and back", async () => {
  serve({
    "GET /v1/improve/lineage/answers/ans_9": { answer_id: "ans_9", trace_id: "t9", application: "handbook", given_by: VARIANT, feedback: [{ id: "evt_9", rating: "up", edited: false }], made_into: [] },
    "GET /v1/improve/lineage/variants/cand_2": VARIANT,
    "GET /v1/improve/lineage/feedback/evt_1": { answer_id: "ans_1", trace_id: "0123456789abcdef", application: "handbook", given_by: null, feedback: [], made_into: [{ ...VARIANT, sources: undefined, rows: undefined }] },
  });
  history.replaceState(null, "", "/console/improve/lineage?of=ans_9");
  show(<ImprovePage />);
  const given = within(await screen.findByRole("region", { name: "Given by shown@3" }));
  expect(given.getByText("Withdrawn").nextSibling?.textContent).toContain("thumbs fell");
  expect(given.getByText("Answers that it gave").nextSibling?.textContent).toBe("1,200 ans_9");
  const row = within(given.getByRole("group", { name: "What it was made from" })).getAllByRole("row")[1]!;
  expect(within(row).getAllByRole("cell").map((each) => each.textContent?.trim())).toEqual(["ans_1", "down, edited", "train 7", "01234567"]);
  screen.getByText("Nothing was made from this answer.");
  fireEvent.change(screen.getByLabelText("Answer, feedback or variant"), { target: { value: " evt_1 " } });
  fireEvent.click(screen.getByRole("button", { name: "Look up" }));
  await screen.findByRole("region", { name: "Made into shown@3" });
  expect(location.search).toBe("?of=evt_1");
  screen.getByText(/nothing was promoted at that time/);
  fireEvent.change(screen.getByLabelText("Answer, feedback or variant"), { target: { value: "cand_2" } });
  fireEvent.click(screen.getByRole("button", { name: "Look up" }));
  await screen.findByRole("region", { name: "shown@3" });
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

it("a policy is changed as YAML, and a field that is wrong is named", async () => {
  let refuse = true;
  serve({
    "GET /v1/improve": { data: [APPLICATION] },
    "PUT /v1/improve/policies/handbook": () => (refuse ? new Response(JSON.stringify({ error: { message: "there is no scorer f2", code: "invalid_request", param: "offline.gain" } }), { status: 400 }) : { version: 3 }),
  });
  show(<ImprovePage />);
  fireEvent.click(await screen.findByRole("button", { name: "Policy" }));
  const area = screen.getByLabelText<HTMLTextAreaElement>("Policy");
  expect(area.value).toContain("enabled: true\nwatch:\n  feedback: 50\n");
  fireEvent.change(area, { target: { value: "rungs: [" } });
  fireEvent.click(screen.getByRole("button", { name: "Save" }));
  await screen.findByText(/This is no YAML: /);
  fireEvent.change(area, { target: { value: "gate: true\nenabled: false" } });
  fireEvent.click(screen.getByRole("button", { name: "Save" }));
  await screen.findByText("offline.gain: There is no scorer f2.");
  refuse = false;
  fireEvent.click(screen.getByRole("button", { name: "Save" }));
  await waitFor(() => expect(screen.queryByLabelText("Policy")).toBeNull());
  expect(calls.filter((each) => each.method === "PUT").at(-1)!.body).toEqual({ gate: true, enabled: false });
});

it("the first policy names its application", async () => {
  serve({ "GET /v1/improve": { data: [] }, "PUT /v1/improve/policies/our%20docs": { version: 1 } });
  show(<ImprovePage />);
  fireEvent.click(await screen.findByRole("button", { name: "New policy" }));
  const save = screen.getByRole<HTMLButtonElement>("button", { name: "Save" });
  expect(save.disabled).toBe(true);
  fireEvent.change(screen.getByLabelText("Application"), { target: { value: "our docs" } });
  fireEvent.click(save);
  await waitFor(() => expect(calls.some((each) => each.method === "PUT")).toBe(true));
  expect((calls.find((each) => each.method === "PUT")!.body as { offline: { dataset: string } }).offline.dataset).toBe("DATASET");
});

it("where there is no policy the page says how to set one", async () => {
  serve({ "GET /v1/improve": { data: [] } });
  show(<ImprovePage />);
  await screen.findByText("No application has a policy");
});
