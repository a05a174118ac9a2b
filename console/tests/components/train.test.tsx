// @vitest-environment jsdom
import { cleanup, fireEvent, screen, waitFor, within } from "@testing-library/react";
import { expect, it, vi } from "vitest";
import { beforeAndAfter, curves } from "../../src/api/train";
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
  // Of a long run the latest samples alone would leave out what it wrote before.
  expect(calls.some((each) => each.path.includes("/samples?ends=true"))).toBe(true);
  screen.getByText("x y");
  expect(screen.getByText("Bounds").nextSibling?.textContent).toContain("at night");
  expect(screen.getByText("Rows").nextSibling?.textContent).toBe("1,200 train, 100 test");
  await screen.findByText("It began");
  fireEvent.click(screen.getByRole("button", { name: "Pause" }));
  await screen.findByText("helper", { selector: "h1" });
  expect(calls.some((each) => each.method === "POST" && each.path.endsWith("/pause"))).toBe(true);
});

it("a job that is to stop says so, and is not asked again", async () => {
  serve({ "GET /v1/training/jobs/train_1": { ...JOB, wish: "cancel" } });
  show(<JobView id="train_1" />);
  await screen.findByText(/is being cancelled sft/);
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Cancel" }).disabled).toBe(true);
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Pause" }).disabled).toBe(true);
});

it("a job is cancelled only after a question, and its options are told in full", async () => {
  serve({ "GET /v1/training/jobs/train_1": { ...JOB, options: { teacher: "large", scorers: [{ name: "f1" }] } }, "POST /v1/training/jobs/train_1/cancel": { ...JOB, wish: "cancel" } });
  show(<JobView id="train_1" />);
  fireEvent.click(await screen.findByRole("button", { name: "Cancel" }));
  expect(screen.getByText("Options").nextSibling?.textContent).toBe('teacher large, scorers [{"name":"f1"}]');
  await screen.findByText(/It ends for good/);
  expect(calls.some((each) => each.method === "POST")).toBe(false);
  fireEvent.click(screen.getByRole("button", { name: "End it" }));
  await waitFor(() => expect(calls.some((each) => each.method === "POST" && each.path.endsWith("/cancel"))).toBe(true));
  expect(screen.queryByText(/It ends for good/)).toBeNull();
});

it("a version is withdrawn only after a question, also one that an application opens itself", async () => {
  const version = { ...VERSION, makes: "translator", servable: false };
  serve({
    "GET /v1/training/versions/helper%402": version,
    "GET /v1/training/versions/helper%402/lineage": { data: [], has_more: false, named: { start: "helper@1" } },
    "POST /v1/training/versions/helper%402/withdraw": { ...version, withdrawn: true },
  });
  show(<VersionView label="helper@2" />);
  fireEvent.click(await screen.findByRole("button", { name: "Withdraw" }));
  expect((await screen.findByRole("link", { name: "helper@1" })).getAttribute("href")).toContain("/train/models/helper");
  expect(calls.some((each) => each.method === "POST")).toBe(false);
  fireEvent.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Withdraw" }));
  await waitFor(() => expect(calls.some((each) => each.method === "POST" && each.path.endsWith("/withdraw"))).toBe(true));
});

it("a job that is over can be deleted, and the list tells why one failed", async () => {
  const failed = { ...JOB, status: "failed", error: { message: "the loss is no number" } };
  serve({ "GET /v1/training/jobs/train_1": { ...JOB, status: "cancelled" }, "GET /v1/training/jobs": { data: [failed] }, "DELETE /v1/training/jobs/train_1": { deleted: true } });
  show(<JobView id="train_1" />);
  expect(await screen.findByRole("button", { name: "Delete" })).toBeTruthy();
  expect(screen.queryByRole("button", { name: "Cancel" })).toBeNull();
  expect(screen.queryByRole("button", { name: "Go on" })).toBeNull();
  fireEvent.click(screen.getByRole("button", { name: "Delete" }));
  await screen.findByText(/It cannot go on/);
  fireEvent.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Delete" }));
  await waitFor(() => expect(location.pathname).toBe("/console/train/jobs"));
  expect(calls.some((each) => each.method === "DELETE")).toBe(true);
  cleanup();
  show(<TrainPage />);
  await screen.findByText("the loss is no number");
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

const DPO = { id: "dpo", summary: "Learns preferences", makes: "adapter", reads: ["preference"], needs: [], bases: ["chat"], source: "", options: { properties: { beta: { default: 0.1, description: "strength" }, collection: { type: "string" } }, required: ["collection"] } };

it("a job is started from an export with a base and options", async () => {
  const exported = { id: "exp_1", kind: "preference", format: "trl", name: "edits", status: "completed", rows: 40 };
  serve({
    "GET /v1/training/recipes": { data: [DPO] },
    "GET /v1/lake/exports": { data: [{ ...exported, id: "exp_0", kind: "sft" }, { ...exported, id: "exp_2", format: "openai" }, { ...exported, id: "exp_3", status: "running" }, exported] },
    "POST /v1/training/jobs": (call: { body: unknown }) => ((call.body as { base: string }).base === "small" ? { ...JOB, id: "train_9" } : refusal(404, "there is no model smal")),
  });
  history.replaceState(null, "", "/console/train/recipes");
  show(<TrainPage />);
  fireEvent.click(await screen.findByRole("button", { name: "Train with dpo" }));
  const choice = await screen.findByLabelText("Export");
  expect(within(choice).getAllByRole("option").map((each) => each.textContent)).toEqual(["edits, preference, 40 rows"]);
  const begin = screen.getByRole<HTMLButtonElement>("button", { name: "Start" });
  expect(begin.disabled).toBe(true);
  const type = (label: string, value: string): boolean => fireEvent.change(screen.getByLabelText(label), { target: { value } });
  type("Base", "smal");
  type("collection", "2024");
  type("beta", "0.2");
  type("Longest training in minutes", "10");
  type("Highest cost in US dollars", "0.5");
  type("Seed", "7");
  fireEvent.click(begin);
  await screen.findByText("There is no model smal.");
  type("Base", "small");
  fireEvent.click(begin);
  await waitFor(() => expect(location.pathname).toBe("/console/train/jobs/train_9"));
  expect(calls.filter((each) => each.method === "POST").at(-1)!.body).toEqual({ recipe: "dpo", options: { beta: 0.2, collection: "2024" }, export: "exp_1", night: false, serve: false, base: "small", seconds: 600, usd: 0.5, seed: 7 });
});

it("the memory of a job is planned before it is started, and what it makes is served if that is wanted", async () => {
  const plan = { parameters: 1, trained: 1, processes: 2, bytes: { weights: 4e6, activations: null }, not_counted: ["activations"], total_bytes: 8e6, limit_bytes: 6e6, fits: false, notes: ["more comes besides"] };
  serve({
    "GET /v1/training/recipes": { data: [{ ...DPO, options: { properties: { beta: { default: 0.1 } } } }] },
    "GET /v1/lake/exports": { data: [{ id: "exp_1", kind: "preference", format: "trl", name: "edits", status: "completed", rows: 40 }] },
    "POST /v1/training/plan": plan,
    "POST /v1/training/jobs": { ...JOB, id: "train_9" },
  });
  history.replaceState(null, "", "/console/train/recipes");
  show(<TrainPage />);
  fireEvent.click(await screen.findByRole("button", { name: "Train with dpo" }));
  await screen.findByLabelText("Export");
  fireEvent.change(screen.getByLabelText("Base"), { target: { value: "small" } });
  fireEvent.change(screen.getByLabelText("beta"), { target: { value: "0.2" } });
  fireEvent.click(screen.getByRole("button", { name: "Plan the memory" }));
  await screen.findByText(/8 MB without activations in 2 processes, which does not fit into the 6 MB of a run. Each: weights 4 MB, activations not planned. More comes besides./);
  fireEvent.click(screen.getByLabelText("Serve the new version"));
  fireEvent.click(screen.getByRole("button", { name: "Start" }));
  await waitFor(() => expect(location.pathname).toBe("/console/train/jobs/train_9"));
  const [asked, started] = calls.filter((each) => each.method === "POST").map((each) => each.body);
  expect(asked).toEqual({ recipe: "dpo", options: { beta: 0.2 }, base: "small" });
  expect(started).toMatchObject({ ...(asked as object), export: "exp_1", serve: true });
});

it("the base is chosen from what there is, and so is what an option names", async () => {
  const bases = [{ id: "small", kind: "chat", source: "model" }, { id: "support@1", kind: "chat", source: "version" }];
  const distil = { ...DPO, id: "distil", named: { teacher: ["chat"] }, options: { properties: { teacher: { default: "", description: "who teaches" } } } };
  serve({
    "GET /v1/training/recipes": { data: [distil] },
    "GET /v1/training/bases": { data: bases, has_more: false },
    "GET /v1/lake/exports": { data: [{ id: "exp_1", kind: "preference", format: "trl", name: "edits", status: "completed", rows: 40 }] },
    "POST /v1/training/jobs": { ...JOB, id: "train_9" },
  });
  history.replaceState(null, "", "/console/train/recipes");
  show(<TrainPage />);
  fireEvent.click(await screen.findByRole("button", { name: "Train with distil" }));
  await screen.findByLabelText("Export");
  await waitFor(() => expect(screen.getByLabelText("Base").tagName).toBe("SELECT"));
  expect(within(screen.getByLabelText("Base")).getAllByRole("option").map((each) => each.textContent)).toEqual(["Choose one", "small", "support@1"]);
  expect(screen.getByRole<HTMLButtonElement>("button", { name: "Start" }).disabled).toBe(true);
  fireEvent.change(screen.getByLabelText("Base"), { target: { value: "support@1" } });
  const teacher = screen.getByLabelText<HTMLInputElement>("teacher");
  expect([...teacher.list!.options].map((each) => each.value)).toEqual(["small", "support@1"]);
  fireEvent.change(teacher, { target: { value: "small" } });
  fireEvent.click(screen.getByRole("button", { name: "Start" }));
  await waitFor(() => expect(location.pathname).toBe("/console/train/jobs/train_9"));
  expect(calls.filter((each) => each.method === "POST").at(-1)!.body).toMatchObject({ recipe: "distil", base: "support@1", options: { teacher: "small" } });
});

it("where there is nothing to start from, the form says so", async () => {
  serve({ "GET /v1/training/recipes": { data: [DPO] }, "GET /v1/training/bases": { data: [], has_more: false }, "GET /v1/lake/exports": { data: [] } });
  history.replaceState(null, "", "/console/train/recipes");
  show(<TrainPage />);
  fireEvent.click(await screen.findByRole("button", { name: "Train with dpo" }));
  await screen.findByText("There is none of the kind chat yet: pull a model, or train one.");
});

it("where no export fits, a job is started from a file", async () => {
  serve({ "GET /v1/training/recipes": { data: [{ ...DPO, bases: [], options: {} }] }, "GET /v1/lake/exports": { data: [] } });
  history.replaceState(null, "", "/console/train/recipes");
  show(<TrainPage />);
  fireEvent.click(await screen.findByRole("button", { name: "Train with dpo" }));
  await screen.findByLabelText("File");
  fireEvent.click(screen.getByRole("button", { name: "An export" }));
  screen.getByText(/There is no export in the format trl that it reads/);
});

it("a job is started from files of one's own for validation and test, which are uploaded once", async () => {
  const names: string[] = [];
  class Upload {
    upload = {};
    status = 200;
    responseText = "";
    onload = (): void => {};
    open = (): void => {};
    setRequestHeader = (): void => {};
    send = (form: FormData): void => {
      names.push((form.get("file") as File).name);
      this.responseText = JSON.stringify({ id: `file-${names.at(-1)}` });
      this.onload();
    };
  }
  vi.stubGlobal("XMLHttpRequest", Upload);
  let tries = 0;
  serve({
    "GET /v1/training/recipes": { data: [{ ...DPO, bases: [], options: {} }] },
    "GET /v1/lake/exports": { data: [] },
    "POST /v1/training/jobs": () => (++tries > 1 ? { ...JOB, id: "train_9" } : refusal(400, "row 3 has no answer")),
  });
  history.replaceState(null, "", "/console/train/recipes");
  show(<TrainPage />);
  fireEvent.click(await screen.findByRole("button", { name: "Train with dpo" }));
  const choose = (label: string, name: string): boolean => fireEvent.change(screen.getByLabelText(label), { target: { files: [new File(["{}"], name)] } });
  const begin = await screen.findByRole<HTMLButtonElement>("button", { name: "Start" });
  await screen.findByLabelText("File");
  choose("Test file", "test");
  expect(begin.disabled).toBe(true);
  choose("File", "train");
  fireEvent.click(begin);
  await screen.findByText("Row 3 has no answer.");
  choose("File", "mended");
  fireEvent.click(begin);
  await waitFor(() => expect(location.pathname).toBe("/console/train/jobs/train_9"));
  expect(calls.filter((each) => each.method === "POST").at(-1)!.body).toEqual({ recipe: "dpo", options: {}, training_file: "file-mended", test_file: "file-test", night: false, serve: false });
  expect(names).toEqual(["train", "test", "mended"]);
});

it("a version that the loop made tells what became of it", async () => {
  serve({
    "GET /v1/training/versions/helper%402": VERSION,
    "GET /v1/improve/lineage/variants/helper%402": { id: "cand_1", application: "handbook", kind: "model", version: "helper@2", campaign: "imp_1", export: null, dataset: "edits@1", made_at: 1, promoted_at: null, withdrawn_at: 2, reason: "not shown better", answers: { total: 0, data: [] }, sources: { total: 12, data: [] } },
  });
  show(<VersionView label="helper@2" />);
  const use = within(await screen.findByRole("region", { name: "In the loop" }));
  expect(use.getByRole("link", { name: "imp_1" }).getAttribute("href")).toBe("/console/improve/imp_1");
  expect(use.getByRole("link", { name: "12 answers behind it, 0 answers by it" }).getAttribute("href")).toBe("/console/improve/lineage?of=helper%402");
});

it("figures that are no numbers leave no point, and prompts keep their first and last text", () => {
  expect(curves([{ step: 1, at: 0, figures: { loss: NaN, rate: 1 } }, { step: 2, at: 0, figures: { loss: 2 } }])).toEqual([["rate", [{ step: 1, value: 1 }]], ["loss", [{ step: 2, value: 2 }]]]);
  const [only] = beforeAndAfter([{ step: 9, prompt: "a", text: "late" }, { step: 0, prompt: "a", text: "early" }, { step: 5, prompt: "a", text: "middle" }]);
  expect([only!.first.text, only!.last.text]).toEqual(["early", "late"]);
});
