// @vitest-environment jsdom
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { expect, it } from "vitest";
import ArenaPage from "../../src/pages/arena/page";
import { BoardView } from "../../src/pages/arena/board";
import { VoteView } from "../../src/pages/arena/vote";
import { calls, refusal, serve, show } from "./bench";

const ARENA = { id: "main", categories: ["tax"], recorded: true, votes_per_day: 200, definition: { models: ["smollm", "qwen"] } };
const BATTLE = { object: "arena.battle", id: "battle_1", question: "Who pays?", category: "tax", open: true, left: { text: "The shop pays.", error: null }, right: { text: "You pay.", error: null } };
const TOLD = { winner: "left", left: { model: "qwen", answer_id: "ans_1" }, right: { model: "smollm", answer_id: "ans_2" } };

// The frames of a battle, as the server sends them.
function frames(...bodies: object[]): Response {
  return new Response([...bodies.map((each) => JSON.stringify(each)), "[DONE]"].map((each) => `data: ${each}\n\n`).join(""));
}

function begin(question = "Who pays?"): void {
  fireEvent.change(screen.getByLabelText("Your question"), { target: { value: question } });
  fireEvent.click(screen.getByText("Ask both"));
}

const votes = (): unknown[] => calls.filter((each) => each.path.endsWith("/votes")).map((each) => each.body);

it("a vote is blind: no model is named before it, and both are after it", async () => {
  let counted: (told: Response) => void = () => {};
  serve({
    "POST /v1/arena/main/battles": () => frames({ object: "arena.delta", side: "left", delta: "The shop" }, BATTLE),
    "POST /v1/arena/main/battles/battle_1/votes": () => TOLD,
  });
  const sent = new Promise<Response>((resolve) => (counted = resolve));
  const { container } = show(<VoteView arena={ARENA} />);
  fireEvent.change(screen.getByLabelText("Category"), { target: { value: "tax" } });
  begin();
  await screen.findByRole("group", { name: "Which answer is better?" });
  screen.getByText("The shop pays.");
  screen.getByText("You pay.");
  expect(calls.at(-1)!.body).toEqual({ question: "Who pays?", category: "tax", stream: true });
  expect(container.innerHTML).not.toMatch(/qwen|smollm|ans_/);
  // Nor while the vote is on its way.
  serve({ "POST /v1/arena/main/battles/battle_1/votes": () => sent });
  fireEvent.click(screen.getByText("Left is better"));
  await waitFor(() => expect(votes()).toEqual([{ winner: "left" }]));
  expect(container.innerHTML).not.toMatch(/qwen|smollm/);
  counted(new Response(JSON.stringify(TOLD), { status: 201 }));
  await screen.findByText("Counted. Left was qwen, right was smollm.");
  within(screen.getByLabelText("Left answer")).getByText("your choice");
  expect(screen.getByRole("status").textContent).toContain("Counted.");
});

it("keys vote, once, and not while somebody writes", async () => {
  serve({
    "POST /v1/arena/main/battles": () => frames(BATTLE),
    "POST /v1/arena/main/battles/battle_1/votes": () => ({ ...TOLD, winner: "tie" }),
  });
  show(<VoteView arena={ARENA} />);
  begin();
  await screen.findByRole("group", { name: "Which answer is better?" });
  fireEvent.keyDown(screen.getByLabelText("Your question"), { key: "1" });
  expect(votes()).toEqual([]);
  fireEvent.keyDown(document.body, { key: "2" });
  fireEvent.keyDown(document.body, { key: "2" });
  await screen.findByText(/^Counted\./);
  fireEvent.keyDown(document.body, { key: "4" });
  expect(votes()).toEqual([{ winner: "tie" }]);
});

it("a vote that was refused can be given again", async () => {
  serve({
    "POST /v1/arena/main/battles": () => frames(BATTLE),
    "POST /v1/arena/main/battles/battle_1/votes": () => refusal(503, "the server is busy"),
  });
  show(<VoteView arena={ARENA} />);
  begin();
  fireEvent.click(await screen.findByText("Right is better"));
  await screen.findByText("The server is busy.");
  serve({ "POST /v1/arena/main/battles/battle_1/votes": { ...TOLD, winner: "right" } });
  fireEvent.click(screen.getByText("Right is better"));
  await screen.findByText(/^Counted\./);
  expect(screen.queryByText("The server is busy.")).toBeNull();
});

it("there is nothing to vote on where a model did not answer", async () => {
  serve({ "POST /v1/arena/main/battles": () => frames({ ...BATTLE, open: false, right: { text: "", error: { code: "timeout", message: "the model did not answer" } } }) });
  show(<VoteView arena={ARENA} />);
  fireEvent.click(screen.getByText("A recorded question"));
  await screen.findByText("the model did not answer");
  expect(calls.at(-1)!.body).toEqual({ category: "", stream: true });
  expect(screen.queryByRole("group", { name: "Which answer is better?" })).toBeNull();
  fireEvent.keyDown(document.body, { key: "1" });
  expect(votes()).toEqual([]);
});

const rated = (model: string, rank: number, value: number, low: number, high: number): object => ({ model, rank, rating: { value, low, high }, votes: 10, wins: 6, losses: 3, ties: 1 });

it("the leaderboard's bars are intervals on one scale", async () => {
  const board = { votes: 30, voters: 2, data: [rated("qwen", 1, 1100, 1050, 1150), rated("smollm", 2, 1000, 950, 1050)], style: {}, not_compared: ["lonely"] };
  serve({
    "GET /v1/arena/main/leaderboard": board,
    "GET /v1/arena/main/leaderboard?style=length&style=headings&style=lists&style=bold": { ...board, style: { length: { value: 0.4, low: 0.1, high: 0.7 } } },
  });
  const { container } = show(<BoardView arena={ARENA} />);
  await screen.findByRole("img", { name: "qwen: 1100, between 1050 and 1150" });
  const bars = [...container.querySelectorAll(".interval")].map((bar) => {
    const [interval, value] = [...bar.querySelectorAll("line")];
    return [interval!.getAttribute("x1"), interval!.getAttribute("x2"), value!.getAttribute("x1")].map(Number);
  });
  // 950 to 1150 is the whole width.
  expect(bars).toEqual([[50, 100, 75], [0, 50, 25]]);
  screen.getByText(/30 votes of 2 people/);
  screen.getByText("No votes connect these with the others: lonely.");
  fireEvent.click(screen.getByLabelText("Corrected for the style of answers"));
  await screen.findByText("length: one standard deviation more gains 0.40 log odds, between 0.10 and 0.70.");
});

it("somebody who is no admin has no list of voters", async () => {
  serve({ "GET /v1/arena": { data: [{ ...ARENA, definition: undefined }] } });
  show(<ArenaPage />, { tenant: "default", key_id: "key_2", key_name: "voter", scopes: ["arena"], groups: [], tier: "" });
  await screen.findByText("Ask both");
  expect(screen.queryByText("Voters")).toBeNull();
});
