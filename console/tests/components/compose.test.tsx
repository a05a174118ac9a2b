// @vitest-environment jsdom
import { act, fireEvent, screen, waitFor } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import ComposePage from "../../src/pages/compose/page";
import { ComposeBox } from "../../src/pages/compose/box";
import { calls, refusal, serve, show } from "./bench";

const ID = "cmp_00000000000000000000000000";
const FOUND = { id: ID, suggestions: [{ text: "to know where", confidence: 0.42 }] };
const OUTCOME = { id: ID, saved: 12 };
const asked = (): unknown[] => calls.filter((call) => call.path === "/v1/compose").map((call) => call.body);
const told = (): unknown[] => calls.filter((call) => call.path.endsWith("/outcome")).map((call) => call.body);
const mail = (): HTMLTextAreaElement => screen.getByRole("textbox", { name: "Mail" });
const type = (value: string): void => {
  mail().focus();
  fireEvent.change(mail(), { target: { value } });
};
const box = (): void => {
  show(<ComposeBox subject="My order" to="support" session="s1" />);
};
const suggested = async (): Promise<void> => {
  serve({ "POST /v1/compose": FOUND, [`POST /v1/compose/${ID}/outcome`]: OUTCOME });
  box();
  type("I would like ");
  await screen.findByText("to know where");
};

describe("the compose box", () => {
  it("asks after three words and a pause, with what the mail says", async () => {
    await suggested();
    expect(asked()).toEqual([{ body: "I would like ", cursor: 13, subject: "My order", to: "support", session_id: "s1" }]);
    expect(screen.getByRole("status").textContent).toContain("42 %");
  });

  it("asks neither within a word nor for every key", async () => {
    serve({ "POST /v1/compose": { id: null, suggestions: [] } });
    box();
    type("I would lik");
    type("I would like");
    await act(() => new Promise((done) => setTimeout(done, 150)));
    expect(asked()).toEqual([]);
    type("I would like ");
    type("I would like to ");
    await waitFor(() => expect(asked()).toHaveLength(1));
    expect(asked()[0]).toMatchObject({ body: "I would like to " });
  });

  it("takes a suggestion by Tab and tells it", async () => {
    await suggested();
    fireEvent.keyDown(mail(), { key: "Tab" });
    expect(mail().value).toBe("I would like to know where ");
    await waitFor(() => expect(told()).toEqual([{ outcome: "accepted", characters: 13 }]));
  });

  it("takes a suggestion by a button, where there is no Tab key", async () => {
    await suggested();
    const accept = screen.getByRole<HTMLButtonElement>("button", { name: "Accept" });
    expect(accept.disabled).toBe(false);
    fireEvent.click(accept);
    expect(mail().value).toBe("I would like to know where ");
    await waitFor(() => expect(told()).toEqual([{ outcome: "accepted", characters: 13 }]));
    await waitFor(() => expect(accept.disabled).toBe(true));
  });

  it("drops a suggestion by Escape and does not ask again about the same text", async () => {
    await suggested();
    fireEvent.keyDown(mail(), { key: "Escape" });
    expect(screen.queryByText("to know where")).toBeNull();
    await act(() => new Promise((done) => setTimeout(done, 150)));
    expect(asked()).toHaveLength(1);
    expect(told()).toEqual([{ outcome: "dismissed" }]);
    expect(mail().value).toBe("I would like ");
  });

  it("keeps what is left while the same words are typed, and lets go of it with others", async () => {
    await suggested();
    type("I would like to k");
    expect(screen.getByText("now where")).toBeTruthy();
    expect(told()).toEqual([]);
    type("I would like to kn");
    type("I would like to knit");
    expect(screen.queryByText("ow where")).toBeNull();
    await waitFor(() => expect(told()).toEqual([{ outcome: "typed" }]));
  });

  it("leaves Tab alone where nothing is suggested", () => {
    box();
    const event = new KeyboardEvent("keydown", { key: "Tab", bubbles: true, cancelable: true });
    mail().dispatchEvent(event);
    expect(event.defaultPrevented).toBe(false);
  });

  it("says why no suggestion came", async () => {
    serve({ "POST /v1/compose": () => refusal(429, "too many requests a minute") });
    box();
    type("I would like ");
    await screen.findByText("Too many requests a minute.");
  });
});

describe("the page", () => {
  it("learns own phrases from the mail in the box, once the person has agreed", async () => {
    let kept = { consent: null as boolean | null, texts: 0 };
    serve({
      "GET /v1/compose/personal": () => kept,
      "PUT /v1/compose/personal": ({ body }: { body: unknown }) => (kept = { ...(body as { consent: boolean }), texts: 0 }),
      "POST /v1/compose/personal": () => (kept = { consent: true, texts: 1 }),
      "DELETE /v1/compose/personal": () => (kept = { consent: true, texts: 0 }),
    });
    show(<ComposePage />);
    const consent = await screen.findByRole("checkbox", { name: /learn from my mails/ });
    expect(screen.queryByRole("button", { name: "Learn from this mail" })).toBeNull();
    fireEvent.click(consent);
    const learn = await screen.findByRole<HTMLButtonElement>("button", { name: "Learn from this mail" });
    expect(learn.disabled).toBe(true);
    type("Kind regards");
    fireEvent.click(learn);
    await screen.findByText("1 mail learned");
    expect(calls.filter((each) => each.method !== "GET").map((each) => [each.method, each.body])).toEqual([["PUT", { consent: true }], ["POST", { text: "Kind regards" }]]);
    expect((await screen.findByRole<HTMLButtonElement>("button", { name: "Learned" })).disabled).toBe(true);
    fireEvent.click(screen.getByRole("button", { name: "Forget them" }));
    await screen.findByText("0 mails learned");
  });

  it("shows what suggestions were worth, with intervals", async () => {
    const figures = { shown: 8, accepted: 4, characters_saved: 60, acceptance: { value: 0.5, low: 0.22, high: 0.78, n: 8 }, usage: null };
    serve({ "GET /v1/compose/figures": figures });
    show(<ComposePage />);
    await screen.findByText("50 % (22 % to 78 %)");
    expect(screen.getByText("60")).toBeTruthy();
  });
});
