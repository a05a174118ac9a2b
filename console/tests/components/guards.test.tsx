// @vitest-environment jsdom
import { fireEvent, screen, within } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { FeedbackView } from "../../src/pages/quality/feedback";
import { GuardsView } from "../../src/pages/quality/guards";
import { refusal, serve, show } from "./bench";

const now = Date.now() / 1000;

function event(kind: string, facts: object, more: object = {}): object {
  return { id: `evt_${Math.random()}`, created_at: now - 60, kind, subject: "ans_1", trace_id: "t1", facts, content: null, consent: false, ...more };
}

describe("guard decisions", () => {
  it("are counted by action, guard and kind, dry runs apart", async () => {
    serve({
      "GET /v1/events": {
        data: [
          event("guard", { guard: "pii_input", action: "redact", kind: "email", count: 3, stage: "input", role: "user" }),
          event("guard", { guard: "injection", action: "refuse", kind: "role_play", count: 1, dry_run: true }, { trace_id: "t2" }),
          event("guard", { guard: "injection", action: "flag", kind: "role_play", count: 1 }, { created_at: now - 40 * 86_400 }),
        ],
        has_more: false,
      },
    });
    show(<GuardsView />);
    const redacted = (await screen.findByText("Redacted")).parentElement!;
    within(redacted).getByText("3");
    within(screen.getByText("Refused or dropped").parentElement!).getByText("0");
    within(screen.getByText("Requests concerned").parentElement!).getByText("1 decision in dry runs");
    screen.getByText("refuse, dry run");
    // What is older than the period is not counted.
    expect(screen.queryByText("flag")).toBeNull();
    fireEvent.change(screen.getByLabelText("Guard"), { target: { value: "injection" } });
    expect(screen.queryByText("email")).toBeNull();
  });

  it("that cannot be read are said so, and asked for again", async () => {
    serve({ "GET /v1/events": () => refusal(500, "the store is gone") });
    show(<GuardsView />);
    await screen.findByText("The store is gone.");
    serve({ "GET /v1/events": { data: [], has_more: false } });
    fireEvent.click(screen.getByText("Try again"));
    await screen.findByText("There were no findings");
  });
});

describe("feedback", () => {
  it("leads to the trace, and shows the answer that was meant", async () => {
    serve({
      "GET /v1/events?kind=feedback&limit=100&order=desc": {
        data: [event("feedback", { rating: "down", comment: "Wrong table.", edited: false }), event("feedback", { rating: null, comment: null, edited: true }, { content: "It is £104.", consent: true })],
        has_more: false,
      },
      "GET /v1/events?kind=answer&limit=1&answer_id=ans_1": { data: [event("answer", {}, { content: "It is £121." })] },
    });
    show(<FeedbackView />);
    const card = (await screen.findByText("“Wrong table.”")).closest("li")!;
    expect(within(card).getByText("Trace").getAttribute("href")).toBe("/console/traces/t1");
    fireEvent.click(within(card).getByText("Show the answer"));
    await within(card).findByText("It is £121.");
    screen.getByText("It is £104.");
    fireEvent.click(screen.getByText("In words"));
    expect(screen.getByText("It is £104.")).toBeTruthy();
    fireEvent.click(screen.getByRole("button", { name: "Thumbs down" }));
    expect(screen.queryByText("It is £104.")).toBeNull();
  });

  it("that was changed counts once", async () => {
    // The latest first, as the server sends them.
    const rated = (rating: string, key_id: string): any => event("feedback", { rating, key_id, comment: null, edited: false });
    serve({ "GET /v1/events": { data: [rated("down", "key_1"), rated("up", "key_1"), rated("up", "key_2")], has_more: false } });
    show(<FeedbackView />);
    expect((await screen.findByText("Thumbs up")).nextElementSibling!.textContent).toBe("50 %1 of 2 ratings");
  });
});
