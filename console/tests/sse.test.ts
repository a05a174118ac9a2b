import { describe, expect, it } from "vitest";
import { EventParser } from "../src/api/sse";

const STREAM = ': reading\n\ndata: {"a":1}\n\nevent: note\r\ndata: one\r\ndata:two\r\n\r\ndata: [DONE]\n\n';
const EVENTS = [
  { name: "message", data: '{"a":1}' },
  { name: "note", data: "one\ntwo" },
  { name: "message", data: "[DONE]" },
];

describe("server-sent events", () => {
  it("are the same however the stream is cut", () => {
    for (let size = 1; size <= STREAM.length; size++) {
      const comments: string[] = [];
      const parser = new EventParser((text) => comments.push(text));
      const found = [];
      for (let at = 0; at < STREAM.length; at += size) found.push(...parser.feed(STREAM.slice(at, at + size)));
      expect(found, `pieces of ${size}`).toEqual(EVENTS);
      expect(comments).toEqual(["reading"]);
    }
  });

  it("are not given before their empty line", () => {
    const parser = new EventParser();
    expect(parser.feed("data: half")).toEqual([]);
    expect(parser.feed("\n")).toEqual([]);
    expect(parser.feed("\n")).toEqual([{ name: "message", data: "half" }]);
  });

  it("forget the name of an event without data", () => {
    const parser = new EventParser();
    expect(parser.feed("event: lost\n\ndata: x\n\n")).toEqual([{ name: "message", data: "x" }]);
  });
});
