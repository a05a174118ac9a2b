import { describe, expect, it } from "vitest";
// The server's rules are tested with the same cases.
import text from "../../src/mainspring/features/compose/rules/trigger.json?raw";
import { waits } from "../src/pages/compose/trigger";

interface Case {
  before: string;
  after: string;
  pause_ms: number | null;
  waits: string | null;
}

const CASES: Case[] = JSON.parse(text);

describe("the trigger", () => {
  it.each(CASES)("waits as the server says: $before|$after", (each) => {
    expect(waits(each.before, each.after, each.pause_ms)).toBe(each.waits);
  });
});
