import { describe, expect, it } from "vitest";
import { grown, way } from "../src/lib/server_kept";
import { add, emptyPane, path, siblings, type Answer, type Pane, type Turn } from "../src/lib/tree";

const answer = (session: string, status: Answer["status"] = "done"): Answer => ({ status, model: "small", citations: [], notices: [], missing: [], conflicts: [], session });
const question = (id: string, parent: string): Turn => ({ id, parent, role: "user", text: id });
const given = (id: string, parent: string, session: string, status?: Answer["status"]): Turn => ({ id, parent, role: "assistant", text: id, answer: answer(session, status) });
const pane = (...turns: Turn[]): Pane => turns.reduce(add, emptyPane("small"));
const said = (turn: string, text: string, reply: string): { id: string; turn_id: string; trace_id: string; role: string; content: string }[] => [
  { id: `${turn}:0`, turn_id: turn, trace_id: turn, role: "user", content: text },
  { id: `${turn}:1`, turn_id: turn, trace_id: turn, role: "assistant", content: reply },
];

describe("where a question is asked", () => {
  it("a first question begins the conversation, and its second answer a part of it", () => {
    const first = pane(question("q", ""));
    expect(way("c", 0, first, "q")).toEqual({ session: "own:c", said: [{ role: "user", content: "q" }] });
    expect(way("c", 1, first, "q").session).toMatch(/^own:c\.1-/);
    const answered = add(first, given("a", "q", "own:c"));
    expect(way("c", 0, answered, "q").session).toMatch(/^own:c\.0-/);
    // What failed was kept nowhere.
    expect(way("c", 0, add(first, given("a", "q", "own:c", "failed")), "q").session).toBe("own:c");
  });

  it("goes on where nothing came after, with nothing but what is new", () => {
    const whole = pane(question("q", ""), given("a", "q", "own:c"), question("r", "a"));
    expect(way("c", 0, whole, "r")).toEqual({ session: "own:c", said: [{ role: "user", content: "r" }] });
  });

  it("forks where something came after already", () => {
    const whole = pane(question("q", ""), given("a", "q", "own:c"), question("r", "a"), given("b", "r", "own:c"));
    const found = way("c", 0, whole, "r");
    expect(found.session).toMatch(/^own:c\.0-/);
    expect(found.from?.session).toBe("own:c");
    expect(found.said).toEqual([{ role: "user", content: "r" }]);
  });

  it("says again what the server does not keep: a stopped answer, another conversation's", () => {
    const stopped = pane(question("q", ""), given("a", "q", "own:c"), question("r", "a"), given("b", "r", "own:c", "stopped"), question("s", "b"));
    expect(way("c", 0, stopped, "s").said.map((each) => each.content)).toEqual(["r", "b", "s"]);
    const branch = pane(question("q", ""), given("a", "q", "own:other"), question("r", "a"));
    expect(way("c", 0, branch, "r")).toEqual({ session: "own:c", said: ["q", "a", "r"].map((content, at) => ({ role: at === 1 ? "assistant" : "user", content })) });
  });
});

describe("what the server keeps", () => {
  it("sessions that share their beginning are one tree", () => {
    const first = grown(emptyPane(""), "own:c", [...said("t1", "q", "a"), ...said("t2", "r", "b")]);
    const both = grown(first, "own:c.0-x", [...said("t1", "q", "a"), ...said("t3", "r", "other")]);
    expect(path(both).map((turn) => turn.text)).toEqual(["q", "a", "r", "other"]);
    expect(siblings(both, both.turns["t3:1"]!).map((turn) => turn.text)).toEqual(["b", "other"]);
    expect(Object.keys(both.turns)).toHaveLength(5);
    // What is asked next goes on in the session that is shown, and in the other where that is.
    expect(way("c", 0, add(both, question("s", "t3:1")), "s").session).toBe("own:c.0-x");
    expect(way("c", 0, add(both, question("s", "t2:1")), "s").session).toBe("own:c");
  });
});
