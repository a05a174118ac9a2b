// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { PromptView } from "../../src/pages/prompts/prompt";
import { AuditLog } from "../../src/pages/settings/audit";
import { PolicyList } from "../../src/pages/settings/policies";
import { letters, Shortcuts } from "../../src/ui/shortcuts";
import { PAGES } from "../../src/pages/pages";
import { ADMIN, calls, refusal, serve, show } from "./bench";

const version = (number: number, content: string): object => ({ id: `support@${number}`, version: number, created_at: number, author: null, note: "", variables: ["shop"], deleted_at: null, messages: [{ role: "system", content }] });
const PROMPT = { id: "support", created_at: 1, latest: 2, count: 2, labels: { production: { version: 1, revision: 3 } }, versions: [version(1, ""), version(2, "")] };

describe("a prompt", () => {
  it("has its label moved with the revision that was seen", async () => {
    serve({ "GET /v1/prompts/support": PROMPT, "GET /v1/prompts/support/versions/2": version(2, "Be kind to {{ shop }}."), "PUT /v1/prompts/support/labels/production": { version: 2 } });
    show(<PromptView name="support" />);
    await screen.findByText("Be kind to {{ shop }}.");
    fireEvent.click(screen.getByText("Move"));
    fireEvent.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Move" }));
    await waitFor(() => expect(calls.find((call) => call.method === "PUT")).toMatchObject({ body: { version: 2, note: "" }, ifMatch: '"3"' }));
  });

  it("whose label somebody else moved meanwhile says so", async () => {
    serve({ "GET /v1/prompts/support": PROMPT, "GET /v1/prompts/support/versions/2": version(2, "x"), "PUT /v1/prompts/support/labels/production": () => refusal(409, "the label is at revision 4") });
    show(<PromptView name="support" />);
    fireEvent.click(await screen.findByText("Move"));
    fireEvent.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Move" }));
    await screen.findByText("The label is at revision 4.");
  });

  it("shows what changed between two versions", async () => {
    serve({ "GET /v1/prompts/support": PROMPT, "GET /v1/prompts/support/versions/2": version(2, "x"), "GET /v1/prompts/support/diff": { diff: "--- a\n+++ b\n@@ -1 +1 @@\n-old\n+new" } });
    const { container } = show(<PromptView name="support" />);
    fireEvent.change(await screen.findByLabelText(/Compare with/), { target: { value: "1" } });
    await screen.findByText("+new");
    expect(container.querySelector(".removed")!.textContent).toBe("-old");
  });
});

it("an audit log that was changed says at which entry", async () => {
  serve({
    "GET /v1/keys": { data: [{ id: "key_1", name: "first admin" }] },
    "GET /v1/audit": { data: [{ id: "aud_1", number: 1, created_at: 1, action: "key.created", actor: "key_1", target: "key_2", trace_id: null, details: { scopes: ["chat"] }, hash: "h" }] },
    "GET /v1/audit/verify": { intact: false, entries: 3, head: "3:ab", problems: [{ number: 2, problem: "its hash is another" }] },
  });
  show(<AuditLog />);
  await screen.findByText("first admin");
  fireEvent.click(screen.getByText("Verify"));
  await screen.findByText(/entry 2 \(its hash is another\)/);
});

it("policies are shown with their settings and for whom they are", async () => {
  serve({ "GET /v1/policies": { data: [{ id: "strict", object: "policy", name: "strict", version: "strict-1", applications: ["support"], pii_input: "refuse", detectors: { injection: "flag" }, dry_run: true }] } });
  show(<PolicyList />);
  await screen.findByText("For support");
  screen.getByText("detectors › injection");
  screen.getByText("dry run", { selector: ".badge" });
});

describe("keys", () => {
  it("each page has a letter of its own", () => {
    const found = letters(PAGES);
    expect(found.size).toBe(PAGES.length);
  });

  it("lead to pages after g, and are not taken from who writes", () => {
    show(<><Shortcuts me={ADMIN} pages={PAGES} /><input aria-label="field" /></>);
    fireEvent.keyDown(document.body, { key: "t" });
    expect(location.pathname).toBe("/console/chat");
    fireEvent.keyDown(document.body, { key: "g" });
    fireEvent.keyDown(document.body, { key: "t" });
    expect(location.pathname).toBe("/console/traces");
    fireEvent.keyDown(screen.getByLabelText("field"), { key: "?" });
    expect(screen.queryByText("Keyboard")).toBeNull();
    fireEvent.keyDown(document.body, { key: "?" });
    screen.getByText("Keyboard");
  });
});
