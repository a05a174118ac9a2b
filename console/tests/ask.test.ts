import { describe, expect, it } from "vitest";
import { body, NOTHING_SET, pieces, type Piece } from "../src/api/ask";

function stream(...frames: string[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const frame of frames) controller.enqueue(new TextEncoder().encode(frame));
      controller.close();
    },
  });
}

const frame = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`;

async function all(from: ReadableStream<Uint8Array>): Promise<Piece[]> {
  const found: Piece[] = [];
  for await (const piece of pieces(from, "t1")) found.push(piece);
  return found;
}

describe("an answer's stream", () => {
  it("gives text, citations and usage in their order", async () => {
    const citation = { index: 1, source: "a.md" };
    const found = await all(
      stream(
        ": retrieve\n\n",
        frame({ choices: [{ delta: { content: "Ja" } }] }),
        frame({ choices: [{ delta: { citations: [citation] } }] }),
        frame({ choices: [{ delta: {}, finish_reason: "stop" }] }),
        frame({ choices: [], usage: { prompt_tokens: 3 } }) + "data: [DONE]\n\n",
      ),
    );
    expect(found.map((piece) => piece.kind)).toEqual(["progress", "text", "citations", "finish", "usage"]);
  });

  it("tells whether the documents answer, and what was looked for", async () => {
    const found = await all(stream(frame({ choices: [{ delta: { answered: false, sought: ["Reykjavik"] } }] }) + "data: [DONE]\n\n"));
    expect(found).toEqual([{ kind: "answered", answered: false, sought: ["Reykjavik"] }]);
  });

  it("that a character is cut in is whole", async () => {
    const bytes = new TextEncoder().encode(frame({ choices: [{ delta: { content: "ü" } }] }) + "data: [DONE]\n\n");
    const at = bytes.indexOf(0xc3) + 1;
    const cut = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(bytes.slice(0, at));
        controller.enqueue(bytes.slice(at));
        controller.close();
      },
    });
    expect(await all(cut)).toEqual([{ kind: "text", text: "ü" }]);
  });

  it("that ends without its mark is cut off, and no answer", async () => {
    await expect(all(stream(frame({ choices: [{ delta: { content: "half" } }] })))).rejects.toMatchObject({ code: "cut_off", traceId: "t1" });
  });

  it("raises an error frame", async () => {
    await expect(all(stream(frame({ error: { message: "the engine died", code: "engine_died", param: null } })))).rejects.toMatchObject({
      message: "The engine died.",
      code: "engine_died",
    });
  });
});

describe("a request", () => {
  it("leaves out what is not set, and takes 0 for a number", () => {
    const made = body("m", [{ role: "user", content: "hi" }], { ...NOTHING_SET, temperature: "0", system: "  " });
    expect(made).toEqual({
      model: "m",
      messages: [{ role: "user", content: "hi" }],
      stream: true,
      stream_options: { include_usage: true },
      temperature: 0,
    });
  });

  it("puts the system prompt first and passes the cache by when asked again", () => {
    const made = body("m", [], { ...NOTHING_SET, system: "Be brief.", preset: "chat" }, true);
    expect(made.messages).toEqual([{ role: "system", content: "Be brief." }]);
    expect(made.options).toEqual({ preset: "chat", cache: false });
  });
});
