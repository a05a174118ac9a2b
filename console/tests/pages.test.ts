// The menu is made of the pages' folders, and a new page changes its own folder alone.
import { describe, expect, it } from "vitest";
import { PAGES } from "../src/pages/pages";

const FOLDERS = Object.keys(import.meta.glob("../src/pages/*/*")).map((file) => file.split("/")[3]!);
const CENTRAL = import.meta.glob<string>(["../src/*.tsx", "../src/*.ts", "../src/pages/pages.ts", "../src/ui/shortcuts.tsx"], {
  eager: true,
  query: "?raw",
  import: "default",
});

describe("pages", () => {
  it("are all folders", () => {
    expect(PAGES.length).toBeGreaterThan(20);
    expect(new Set(PAGES.map((page) => page.name))).toEqual(new Set(FOLDERS));
    expect(PAGES.filter((page) => !page.load).map((page) => page.name)).toEqual([]);
  });

  it("have places and letters of their own", () => {
    expect(new Set(PAGES.map((page) => page.place)).size).toBe(PAGES.length);
    const letters = PAGES.map((page) => page.letter).filter(Boolean);
    expect(new Set(letters).size).toBe(letters.length);
  });

  it("stand in groups that are not interrupted", () => {
    const groups = PAGES.map((page) => page.group);
    const begun = groups.filter((group, number) => group !== groups[number - 1]);
    expect(new Set(begun).size).toBe(begun.length);
  });

  it("are imported by no central file", () => {
    expect(Object.keys(CENTRAL).length).toBeGreaterThan(3);
    const named = Object.entries(CENTRAL).flatMap(([file, text]) =>
      PAGES.filter((page) => new RegExp(`pages/${page.name}[/"']`).test(text)).map((page) => `${file}: ${page.name}`),
    );
    expect(named).toEqual([]);
  });
});
