// @vitest-environment jsdom
import { act, fireEvent, screen, waitFor } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import ComposePage from "../../src/pages/compose/page";
import { ComposeBox } from "../../src/pages/compose/box";
import { ADMIN, calls, refusal, serve, show } from "./bench";

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

const MODELS = {
  data: [{ id: "mails@2", created_at: 1, figures: { perplexity_per_word: 41.23 }, stale: null, serving: false }],
  serving: null as string | null, trying: null, stage: "",
};

describe("the choice of a model", () => {
  it("asks the version that is chosen, and says who suggested", async () => {
    serve({ "GET /v1/compose/models": MODELS, "POST /v1/compose": { ...FOUND, model: "mails@2" } });
    show(<ComposePage />);
    const choice = await screen.findByLabelText("Suggestions by");
    screen.getByText(/Everybody gets suggestions by the model of the server/);
    screen.getByText(/mails@2, .*perplexity 41.2/);
    fireEvent.change(choice, { target: { value: "mails@2" } });
    type("I would like ");
    await screen.findByText("to know where");
    expect(asked()[0]).toMatchObject({ model: "mails@2" });
    expect(screen.getAllByRole("status").some((each) => each.textContent?.includes("by mails@2"))).toBe(true);
  });

  it("has an administrator choose for everybody, and undo it", async () => {
    let serving: string | null = null;
    serve({
      "GET /v1/compose/models": () => ({ ...MODELS, serving }),
      "POST /v1/variants": { id: "cand_1" },
      "POST /v1/variants/candidates/cand_1": () => { serving = "mails@2"; return {}; },
      "POST /v1/variants/compose/undo": () => { serving = null; return {}; },
    });
    show(<ComposePage />);
    fireEvent.change(await screen.findByLabelText("Suggestions by"), { target: { value: "mails@2" } });
    fireEvent.click(screen.getByText("Use mails@2 for everybody", { selector: "button span" }));
    await screen.findByText(/Everybody gets suggestions by mails@2/);
    expect(calls.find((each) => each.path === "/v1/variants")?.body).toEqual({ kind: "model", application: "compose", value: { model: "mails@2" } });
    fireEvent.click(screen.getByText("Undo", { selector: "button span" }));
    await screen.findByText(/Everybody gets suggestions by the model of the server/);
  });

  it("leaves that choice to administrators, and says how to get a model where there is none", async () => {
    serve({ "GET /v1/compose/models": { ...MODELS, data: [] } });
    show(<ComposePage />, { ...ADMIN, scopes: ["compose"] });
    await screen.findByText("Train one");
    expect(screen.queryByLabelText("Suggestions by")).toBeNull();
    expect(screen.queryByText(/for everybody/, { selector: "button span" })).toBeNull();
  });
});

describe("a mail that was sent", () => {
  it("is told with consent alone, and the requests of it say so", async () => {
    serve({
      "GET /v1/compose/models": MODELS,
      "POST /v1/compose": { id: null, answer: ID, model: null, suggestions: [] },
      [`POST /v1/compose/${ID}/sent`]: { id: "mail_1" },
    });
    show(<ComposePage />);
    type("I would like ");
    await waitFor(() => expect(asked()).toHaveLength(1));
    expect(calls.find((call) => call.path === "/v1/compose")?.consent).toBeUndefined();
    expect(screen.queryByText("I have sent this mail")).toBeNull();
    fireEvent.click(screen.getByRole("checkbox", { name: /improve the model for everybody/ }));
    await waitFor(() => expect(calls.filter((call) => call.path === "/v1/compose").at(-1)?.consent).toBe("true"));
    const button = (await screen.findByText("I have sent this mail")).closest("button");
    await waitFor(() => expect(button?.disabled).toBe(false));
    fireEvent.click(button as HTMLButtonElement);
    await screen.findByText("Recorded");
    const sent = calls.find((call) => call.path.endsWith("/sent"))?.body;
    expect(sent).toMatchObject({ text: "I would like ", subject: "", to: "", consent: true });
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
