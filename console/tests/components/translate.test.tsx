// @vitest-environment jsdom
import { fireEvent, screen, waitFor } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import TranslatePage from "../../src/pages/translate/page";
import { calls, serve, show } from "./bench";

const LANGUAGES = [{ language: "en", name: "English" }, { language: "fr", name: "French" }];
const KNOWN = { data: [{ id: "multi", pairs: ["en-fr", "fr-en"] }], languages: LANGUAGES };
const MADE = { id: "ans_1", model: "multi", source: "en", needs_source: false, detected: [], text: "La maison.", sentences: { parted: 0, copied: 0 } };
const posts = (): unknown[] => calls.filter((call) => call.method === "POST").map((call) => call.body);

describe("translation", () => {
  it("shows the translation beside the text, and takes a better one", async () => {
    serve({ "GET /v1/translate/languages": KNOWN, "POST /v1/translate": MADE, "POST /v1/translate/ans_1/edit": { id: "edit_1" } });
    show(<TranslatePage />);
    fireEvent.change(await screen.findByRole("textbox", { name: "Text" }), { target: { value: "The house." } });
    fireEvent.change(screen.getByLabelText("To"), { target: { value: "fr" } });
    fireEvent.click(screen.getByText("Translate", { selector: "button span" }));
    const area = await screen.findByRole<HTMLTextAreaElement>("textbox", { name: "Translation" });
    expect(area.value).toBe("La maison.");
    expect(screen.queryByText("Suggest this")).toBeNull();
    fireEvent.change(area, { target: { value: "Le foyer." } });
    fireEvent.click(await screen.findByText("Suggest this"));
    await waitFor(() => expect(posts()).toEqual([
      { text: "The house.", target: "fr" },
      { source: "The house.", translation: "La maison.", edit: "Le foyer.", source_language: "en", target_language: "fr", consent: false },
    ]));
  });

  it("asks for the language where it is not certain", async () => {
    const unsure = { ...MADE, id: null, source: null, text: null, needs_source: true, detected: [{ language: "fr", name: "French", probability: 0.5 }] };
    serve({ "GET /v1/translate/languages": KNOWN, "POST /v1/translate": unsure });
    show(<TranslatePage />);
    fireEvent.change(await screen.findByRole("textbox", { name: "Text" }), { target: { value: "OK" } });
    fireEvent.click(screen.getByText("Translate", { selector: "button span" }));
    await screen.findByText("Which language is it in?");
    fireEvent.click(screen.getByText("French", { selector: "button span" }));
    await waitFor(() => expect(posts().at(-1)).toEqual({ text: "OK", target: "en", source: "fr" }));
  });

  it("says that a text is in the language already, and which translations are doubted", async () => {
    serve({ "GET /v1/translate/languages": KNOWN, "POST /v1/translate": { ...MADE, text: "The house." } });
    show(<TranslatePage />);
    fireEvent.change(await screen.findByRole("textbox", { name: "Text" }), { target: { value: "The house." } });
    fireEvent.click(screen.getByText("Translate", { selector: "button span" }));
    await screen.findByText("The text is in English already: choose another language.");
    expect(screen.queryByRole("textbox", { name: "Translation" })).toBeNull();
    serve({ "POST /v1/translate": { ...MADE, sentences: { parted: 0, copied: 0, doubtful: 1 } } });
    fireEvent.change(screen.getByLabelText("To"), { target: { value: "fr" } });
    fireEvent.click(screen.getByText("Translate", { selector: "button span" }));
    await screen.findByText("some of it may be wrong");
  });

  it("says that there is no translator", async () => {
    serve({ "GET /v1/translate/languages": { data: [], languages: [] } });
    show(<TranslatePage />);
    await screen.findByText("There is no translator yet");
    for (const way of [/translate convert/, /train translate/]) screen.getByText(way, { selector: "code" });
    screen.getByText(/larger chat model served, which translates too/);
  });
});
