// Server-sent events as they arrive: pieces of text in, whole events out.

export interface ServerEvent {
  name: string;
  data: string;
}

export class EventParser {
  private rest = "";
  private name = "";
  private data: string[] = [];

  // Comments are how the server says what a long answer is doing.
  constructor(private readonly onComment: (text: string) => void = () => {}) {}

  feed(piece: string): ServerEvent[] {
    const found: ServerEvent[] = [];
    const text = this.rest + piece;
    let start = 0;
    for (let at = 0; at < text.length; at++) {
      const character = text[at];
      if (character !== "\n" && character !== "\r") continue;
      // Whether a line feed follows is known with the next piece.
      if (character === "\r" && at === text.length - 1) break;
      this.line(text.slice(start, at), found);
      if (character === "\r" && text[at + 1] === "\n") at++;
      start = at + 1;
    }
    this.rest = text.slice(start);
    return found;
  }

  private line(line: string, found: ServerEvent[]): void {
    if (line === "") {
      if (this.data.length > 0) found.push({ name: this.name || "message", data: this.data.join("\n") });
      this.name = "";
      this.data = [];
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) {
      this.onComment(line.slice(1).trim());
      return;
    }
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.data.push(value);
    else if (field === "event") this.name = value;
  }
}
