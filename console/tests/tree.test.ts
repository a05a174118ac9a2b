import { describe, expect, it } from "vitest";
import { add, branch, choose, emptyPane, messages, path, siblings, type Turn } from "../src/lib/tree";

const turn = (id: string, parent: string, role: "user" | "assistant", text = id): Turn => ({ id, parent, role, text });

function talk() {
  return [turn("q1", "", "user"), turn("a1", "q1", "assistant"), turn("q2", "a1", "user"), turn("a2", "q2", "assistant")].reduce(add, emptyPane("m"));
}

describe("a conversation with branches", () => {
  it("shows the latest version of a turn and what follows it", () => {
    const pane = add(talk(), turn("a1b", "q1", "assistant"));
    expect(path(pane).map((each) => each.id)).toEqual(["q1", "a1b"]);
    expect(siblings(pane, pane.turns.a1!).map((each) => each.id)).toEqual(["a1", "a1b"]);
    expect(path(choose(pane, pane.turns.a1!)).map((each) => each.id)).toEqual(["q1", "a1", "q2", "a2"]);
  });

  it("branches off with what was said before and nothing else", () => {
    const made = branch(add(talk(), turn("a1b", "q1", "assistant")), "a1");
    expect(Object.keys(made.turns)).toEqual(["q1", "a1"]);
    expect(path(made).map((each) => each.id)).toEqual(["q1", "a1"]);
  });

  it("tells a model what was said in this branch, without answers that failed", () => {
    const pane = add(add(talk(), turn("a1b", "q1", "assistant", "")), turn("q3", "a1b", "user"));
    expect(messages(pane, "q3")).toEqual([
      { role: "user", content: "q1" },
      { role: "user", content: "q3" },
    ]);
    expect(messages(pane, "q2").map((each) => each.content)).toEqual(["q1", "a1", "q2"]);
  });
});
