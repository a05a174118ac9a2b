// @vitest-environment jsdom
import { fireEvent, screen, within } from "@testing-library/react";
import { expect, it } from "vitest";
import { beforeAndAfter, curves, optionsOf } from "../../src/api/train";
import { JobView } from "../../src/pages/train/job";
import TrainPage from "../../src/pages/train/page";
import { VersionView } from "../../src/pages/train/version";
import { calls, refusal, serve, show } from "./bench";

const JOB = {
  id: "train_1", recipe: "sft", name: "helper", status: "running", wish: null, step: 40, figures: { loss: 1.5 }, version: null, error: null, seconds: 75,
  options: { rank: 8 }, seed: 3, base: "smollm2-135m-instruct", export: "exp_1", limits: { seconds: 600, usd: null, night: true },
  data: { source: "export", rows: 1300, sides: { train: { rows: 1200 }, test: { rows: 100 } } }, created_at: 10, started_at: 12, ended_at: null,
};
const VERSION = {
  id: "helper@2", name: "helper", number: 2, makes: "adapter", recipe: "sft", job: "train_1", export: "exp_1", base: "smollm2-135m-instruct",
  figures: [{ name: "loss", before: 2.25, after: 1.5, interval: [1.4, 1.6], n: 100 }], value: {}, notes: ["English only"], servable: true, served: null, stale: null, withdrawn: false, problem: null,
  created_at: 20, options: { rank: 8 }, seed: 3, files: [{ name: "adapter_model.safetensors", bytes: 1_000_000 }],
};

it("a job shows its curves, what it writes before and after, and its bounds", async () => {
  serve({
    "GET /v1/training/jobs/train_1": JOB,
    "GET /v1/training/jobs/train_1/metrics?after=-1": { data: [{ step: 1, at: 1, figures: { loss: 3 } }, { step: 40, at: 2, figures: { loss: 1.5, tokens: 900 } }], has_more: false, next: 40 },
    "GET /v1/training/jobs/train_1/samples": { data: [{ step: 0, prompt: "Hello", text: "x y" }, { step: 40, prompt: "Hello", text: "Good day." }] },
    "GET /v1/training/jobs/train_1/events": { data: [{ id: "e", at: 12, level: "info", message: "It began" }] },
    "GET /v1/training/jobs/train_1/log": { text: "step 40" },
    "POST /v1/training/jobs/train_1/pause": refusal(409, "it is over"),
  });
  show(<JobView id="train_1" />);
  await screen.findByTitle("loss: from 3 at step 1 to 1.5 at step 40, between 1.5 and 3");
  await screen.findByText("Good day.");
  screen.getByText("x y");
  expect(screen.getByText("Bounds").nextSibling?.textContent).toContain("at night");
  expect(screen.getByText("Rows").nextSibling?.textContent).toBe("1,200 train, 100 test");
  await screen.findByText("It began");
  fireEvent.click(screen.getByRole("button", { name: "Pause" }));
  await screen.findByText("helper", { selector: "h1" });
  expect(calls.some((each) => each.method === "POST" && each.path.endsWith("/pause"))).toBe(true);
});

it("a failed job tells why and what to do, and goes on from its checkpoint", async () => {
  serve({ "GET /v1/training/jobs/train_1": { ...JOB, status: "failed", error: { message: "the loss is no number", remedy: "Lower the learning rate" } } });
  show(<JobView id="train_1" />);
  await screen.findByText("the loss is no number. Lower the learning rate");
  screen.getByRole("button", { name: "Go on" });
  expect(screen.queryByRole("button", { name: "Pause" })).toBeNull();
});

it("a version shows figures before and after, its card, and what it is made of", async () => {
  serve({
    "GET /v1/training/versions/helper%402": VERSION,
    "GET /v1/training/versions/helper%402/card": new Response("# helper@2\n\nTrained on 1,200 rows."),
    "GET /v1/training/versions/helper%402/lineage": { data: [{ id: "0123456789abcdef", kind: "trace" }, { id: "ans_1", kind: "answer" }], has_more: false },
    "POST /v1/training/versions/helper%402/serve": { ...VERSION, served: "helper@2" },
  });
  show(<VersionView label="helper@2" />);
  const row = within((await screen.findByRole("group", { name: "Figures before and after" })).querySelector("tbody tr")!);
  expect(row.getAllByRole("cell").map((each) => each.textContent)).toEqual(["loss", "2.25", "1.5", "1.4 to 1.6", "100"]);
  await screen.findByText("Trained on 1,200 rows.");
  expect((await screen.findByRole("link", { name: "01234567" })).getAttribute("href")).toBe("/console/traces/0123456789abcdef");
  fireEvent.click(screen.getByRole("button", { name: "Serve" }));
  await screen.findByText("Converting …");
  expect(calls.some((each) => each.method === "POST" && each.path === "/v1/training/versions/helper%402/serve")).toBe(true);
});

it("what no model answers with has nothing to serve", async () => {
  serve({ "GET /v1/training/versions/orders%401": { ...VERSION, id: "orders@1", makes: "prompt", servable: false } });
  show(<VersionView label="orders@1" />);
  await screen.findByRole("button", { name: "Delete" });
  expect(screen.queryByRole("button", { name: "Serve" })).toBeNull();
});

it("the lists say how to begin where there is nothing", async () => {
  serve({ "GET /v1/training/jobs": { data: [] } });
  history.replaceState(null, "", "/console/train");
  show(<TrainPage />);
  await screen.findByText("Nothing was trained yet");
});

it("recipes are listed with their options", async () => {
  serve({ "GET /v1/training/recipes": { data: [{ id: "dpo", summary: "Learns preferences", makes: "adapter", reads: ["preference"], needs: ["trl"], bases: ["chat"], source: "arXiv", options: { properties: { beta: { default: 0.1, description: "strength" } } } }] } });
  history.replaceState(null, "", "/console/train/recipes");
  show(<TrainPage />);
  const table = within(await screen.findByRole("group", { name: "Options of dpo", hidden: true }));
  table.getByText("strength");
});

it("figures that are no numbers leave no point, and prompts keep their first and last text", () => {
  expect(curves([{ step: 1, at: 0, figures: { loss: NaN, rate: 1 } }, { step: 2, at: 0, figures: { loss: 2 } }])).toEqual([["rate", [{ step: 1, value: 1 }]], ["loss", [{ step: 2, value: 2 }]]]);
  const [only] = beforeAndAfter([{ step: 9, prompt: "a", text: "late" }, { step: 0, prompt: "a", text: "early" }, { step: 5, prompt: "a", text: "middle" }]);
  expect([only!.first.text, only!.last.text]).toEqual(["early", "late"]);
});

const SFT = { id: "sft", summary: "A chat model learns", makes: "adapter", reads: ["sft"], needs: ["trl"], bases: ["chat"], source: "", options: { properties: { rank: {} } } };
const PRETRAIN = { ...SFT, id: "pretrain", makes: "language-model", bases: [] };
const PLAN = { parameters: 1, trained: 1, processes: 2, bytes: { weights: 4e6, activations: null }, total_bytes: 8e6, limit_bytes: 6e6, fits: false, notes: ["more comes besides"] };

it("a job is started with what was chosen, and its memory planned before", async () => {
  serve({ "GET /v1/training/recipes": { data: [PRETRAIN, SFT] }, "POST /v1/training/plan": PLAN, "POST /v1/training/jobs": JOB, "GET /v1/training/jobs/train_1": JOB });
  history.replaceState(null, "", "/console/train/new/sft");
  show(<TrainPage />);
  const form = within(await screen.findByRole("form", { name: "New job" }));
  expect((form.getByLabelText("Recipe") as HTMLSelectElement).value).toBe("sft");
  fireEvent.change(form.getByLabelText("Base"), { target: { value: "smollm2-135m-instruct" } });
  fireEvent.change(form.getByLabelText("Options"), { target: { value: "rank=8\nprecision = bf16\n" } });
  fireEvent.click(form.getByRole("button", { name: "Plan the memory" }));
  await form.findByText(/8 MB in 2 processes, which does not fit into the 6 MB of a run. Each: weights 4 MB, activations not planned. More comes besides./);
  fireEvent.change(form.getByLabelText("Or an export of the lake"), { target: { value: "exp_1" } });
  fireEvent.change(form.getByLabelText("Name of the new version"), { target: { value: "helper" } });
  fireEvent.click(form.getByLabelText("Serve the new version"));
  fireEvent.submit(screen.getByRole("form", { name: "New job" }));
  await screen.findByText("helper", { selector: "h1" });
  const [planned, started] = calls.filter((each) => each.method === "POST").map((each) => each.body);
  expect(planned).toEqual({ recipe: "sft", options: { rank: 8, precision: "bf16" }, base: "smollm2-135m-instruct" });
  expect(started).toEqual({ ...(planned as object), export: "exp_1", suffix: "helper", serve: true, night: false });
});

it("what is wrong with a new job is said where it is, and what starts from nothing has no base", async () => {
  serve({ "GET /v1/training/recipes": { data: [PRETRAIN] }, "POST /v1/training/jobs": refusal(400, "send either an export or a training_file") });
  history.replaceState(null, "", "/console/train/new");
  show(<TrainPage />);
  const form = within(await screen.findByRole("form", { name: "New job" }));
  expect(form.queryByLabelText("Base")).toBeNull();
  fireEvent.change(form.getByLabelText("Options"), { target: { value: "steps" } });
  fireEvent.submit(screen.getByRole("form", { name: "New job" }));
  await form.findByText("steps is not an option: write NAME=VALUE.");
  expect(calls.some((each) => each.method === "POST")).toBe(false);
  fireEvent.change(form.getByLabelText("Options"), { target: { value: "" } });
  fireEvent.submit(screen.getByRole("form", { name: "New job" }));
  await form.findByText("Send either an export or a training_file.");
});

it("options are JSON where they can be, and text otherwise", () => {
  expect(optionsOf('rank=8\nmodules=["q_proj"]\nshard = weights\n\nprompts=["a=b"]')).toEqual({ rank: 8, modules: ["q_proj"], shard: "weights", prompts: ["a=b"] });
});
