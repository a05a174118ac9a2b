// @vitest-environment jsdom
import { fireEvent, screen, within } from "@testing-library/react";
import { beforeEach, expect, it } from "vitest";
import ContentPage from "../../src/pages/content/page";
import { Toaster } from "../../src/ui/toast";
import { calls, refusal, serve, show } from "./bench";

const PLAN = { title: "Bicycle frames", sections: [{ heading: "Warranty", questions: ["How long does it last?"] }, { heading: "Weight", questions: ["What does one weigh?"] }], origin: "headings" };
const ARTICLE = {
  id: "art_1", status: "plan_pending", stage: "plan", brief: { topic: "frames", kind: "article", length: "short", collections: ["bikes"] },
  plan: PLAN, run_id: "run_1", version: 0, error: null, created_at: 10,
};

let kept: object = ARTICLE;

beforeEach(() => {
  kept = ARTICLE;
  history.replaceState(null, "", "/console/content/articles/art_1");
  serve({
    "GET /v1/content/articles/art_1": () => kept,
    "POST /v1/content/articles/art_1/approve": () => (kept = { ...ARTICLE, status: "running", stage: "research" }),
    "POST /v1/content/articles/art_1/deny": () => (kept = { ...ARTICLE, status: "denied" }),
  });
});

const posted = (): unknown[] => calls.filter((each) => each.method === "POST").map((each) => [each.path, each.body]);

it("a plan is approved as it is, and the article is written then", async () => {
  show(<><ContentPage /><Toaster /></>);
  await screen.findByText("plan waits");
  const sections = within(screen.getByRole("list", { name: "Sections of the plan" }));
  expect(sections.getAllByRole("textbox").map((each) => (each as HTMLInputElement).value)).toEqual(["Warranty", "How long does it last?", "Weight", "What does one weigh?"]);
  fireEvent.click(screen.getByRole("button", { name: "Approve" }));
  await screen.findByText("Approved: it is researched and written now");
  await screen.findByText("running", { selector: ".badge" });
  expect(screen.queryByRole("region", { name: "Plan" })).toBeNull();
  expect(posted()).toEqual([["/v1/content/articles/art_1/approve", {}]]);
});

it("a plan is changed before it is approved, and none without questions is", async () => {
  show(<ContentPage />);
  fireEvent.click(await screen.findByRole("button", { name: "Remove section 2" }));
  expect((screen.getByRole("button", { name: "Remove section 1" }) as HTMLButtonElement).disabled).toBe(true);
  fireEvent.click(screen.getByRole("button", { name: "Add a section" }));
  const approve = screen.getByRole("button", { name: "Approve as changed" }) as HTMLButtonElement;
  expect(approve.disabled).toBe(true);
  fireEvent.change(screen.getByLabelText("Heading of section 2"), { target: { value: "Rust" } });
  expect(approve.disabled).toBe(true);
  fireEvent.change(screen.getByLabelText("Questions of section 2"), { target: { value: "Do frames rust?\n" } });
  fireEvent.click(approve);
  await screen.findByText("running", { selector: ".badge" });
  const sections = [PLAN.sections[0], { heading: "Rust", questions: ["Do frames rust?"] }];
  expect(posted()).toEqual([["/v1/content/articles/art_1/approve", { plan: { title: PLAN.title, sections } }]]);
});

it("a denied plan is said to be denied", async () => {
  show(<><ContentPage /><Toaster /></>);
  fireEvent.click(await screen.findByRole("button", { name: "Deny" }));
  await screen.findByText("The plan was denied, and nothing was researched.");
  expect(posted()).toEqual([["/v1/content/articles/art_1/deny", {}]]);
});

it("a plan that somebody else decided meanwhile is read again", async () => {
  serve({ "POST /v1/content/articles/art_1/approve": () => ((kept = { ...ARTICLE, status: "denied" }), refusal(409, "the plan does not wait for approval")) });
  show(<><ContentPage /><Toaster /></>);
  fireEvent.click(await screen.findByRole("button", { name: "Approve" }));
  await screen.findByText("The plan does not wait for approval.");
  await screen.findByText("The plan was denied, and nothing was researched.");
});
