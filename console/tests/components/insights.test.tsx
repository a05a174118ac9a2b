// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { beforeEach, expect, it } from "vitest";
import InsightsPage from "../../src/pages/insights/page";
import { Toaster } from "../../src/ui/toast";
import { calls, refusal, serve, show } from "./bench";

const DRAFT = { id: "faq_1", question: "How long is the warranty?", answer: "Two years from the day of purchase.", citations: [{ source: "warranty.pdf", quote: "Two years" }, { source: "warranty.pdf" }], conversations: 4, status: "draft", updated_at: 10 };

// The server's entries, which what is posted changes.
let entry = { ...DRAFT };

beforeEach(() => {
  entry = { ...DRAFT };
  history.replaceState(null, "", "/console/insights/faq");
  const listed = (status: string) => () => ({ data: entry.status === status ? [entry] : [] });
  serve({
    "GET /v1/insights/faq?status=draft": listed("draft"),
    "GET /v1/insights/faq?status=approved": listed("approved"),
    "POST /v1/insights/faq/faq_1": ({ body }: { body: unknown }) => (entry = { ...entry, ...(body as object) }),
    "POST /v1/insights/faq/publish": { entries: 1 },
  });
});

const posted = (): unknown[] => calls.filter((each) => each.method === "POST").map((each) => [each.path, each.body]);

it("a draft is edited and approved, and what is approved is published", async () => {
  show(<><InsightsPage /><Toaster /></>);
  const drafts = within(await screen.findByRole("list", { name: "Entries" }));
  drafts.getByText("4 conversations");
  drafts.getByText("Sources: warranty.pdf");
  expect(screen.queryByRole("button", { name: "Publish" })).toBeNull();
  fireEvent.click(drafts.getByRole("button", { name: "Edit" }));
  fireEvent.change(screen.getByLabelText("Question"), { target: { value: "  How long is the guarantee? " } });
  fireEvent.click(screen.getByRole("button", { name: "Save" }));
  await screen.findByText("How long is the guarantee?", { selector: "h2" });
  fireEvent.click(screen.getByRole("button", { name: "Approve" }));
  await screen.findByText("No drafts");
  fireEvent.click(screen.getByRole("button", { name: "Approved" }));
  await screen.findByText("How long is the guarantee?", { selector: "h2" });
  expect(screen.queryByRole("button", { name: "Approve" })).toBeNull();
  fireEvent.click(screen.getByRole("button", { name: "Publish" }));
  const dialog = within(screen.getByRole("dialog"));
  expect((dialog.getByRole("button", { name: "Publish" }) as HTMLButtonElement).disabled).toBe(true);
  fireEvent.change(dialog.getByLabelText("Collection"), { target: { value: " handbook " } });
  fireEvent.click(dialog.getByRole("button", { name: "Publish" }));
  await screen.findByText("1 entry is in handbook");
  expect(posted()).toEqual([
    ["/v1/insights/faq/faq_1", { question: "How long is the guarantee?", answer: DRAFT.answer }],
    ["/v1/insights/faq/faq_1", { status: "approved" }],
    ["/v1/insights/faq/publish", { collection: "handbook" }],
  ]);
  expect(screen.queryByRole("dialog")).toBeNull();
});

it("what the server refuses is said, and the dialog stays", async () => {
  entry.status = "approved";
  serve({ "POST /v1/insights/faq/publish": refusal(403, "publishing needs the scope ingest") });
  show(<><InsightsPage /><Toaster /></>);
  fireEvent.click(await screen.findByRole("button", { name: "Approved" }));
  fireEvent.click(await screen.findByRole("button", { name: "Publish" }));
  const dialog = within(screen.getByRole("dialog"));
  fireEvent.change(dialog.getByLabelText("Collection"), { target: { value: "handbook" } });
  fireEvent.click(dialog.getByRole("button", { name: "Publish" }));
  await screen.findByText("Publishing needs the scope ingest.");
  screen.getByRole("dialog");
});

it("a rejected draft is gone from the drafts", async () => {
  show(<InsightsPage />);
  fireEvent.click(await screen.findByRole("button", { name: "Reject" }));
  await screen.findByText("No drafts");
  await waitFor(() => expect(posted()).toEqual([["/v1/insights/faq/faq_1", { status: "rejected" }]]));
});
