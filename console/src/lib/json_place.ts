// Where a field stands in a JSON text: `tools.1.collection` is what an error names.

// The line (from 1) of the deepest part of `path` that there is; undefined where the text is no JSON or has none of it.
export function lineOf(text: string, path: string): number | undefined {
  const wanted = path.split(".").filter(Boolean);
  let at = 0;
  let deepest = -1;
  let found: number | undefined;
  const space = (): void => {
    while (/\s/.test(text[at] ?? "")) at++;
  };
  const string = (): string => {
    const start = at++;
    while (at < text.length && text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
    return JSON.parse(text.slice(start, ++at));
  };
  // `depth`: how many parts of the path lead here; -1: it is beside the path.
  const value = (depth: number): void => {
    space();
    const opening = text[at];
    if (opening === '"') return void string();
    if (opening !== "{" && opening !== "[") {
      const plain = /^[^\s,\]}]+/.exec(text.slice(at));
      if (!plain) throw new SyntaxError("a value is missing");
      at += plain[0].length;
      return;
    }
    at++;
    for (let index = 0; ; index++) {
      space();
      if (text[at] === "}" || text[at] === "]") return void at++;
      if (index > 0) {
        if (text[at] !== ",") throw new SyntaxError("a comma is missing");
        at++;
        space();
      }
      const start = at;
      const name = opening === "{" ? string() : String(index);
      const inside = depth >= 0 && wanted[depth] === name;
      if (inside && depth > deepest) {
        deepest = depth;
        found = text.slice(0, start).split("\n").length;
      }
      if (opening === "{") {
        space();
        if (text[at++] !== ":") throw new SyntaxError("a colon is missing");
      }
      value(inside ? depth + 1 : -1);
    }
  };
  try {
    value(0);
  } catch {
    return undefined;
  }
  return found;
}

// What is wrong with a text that is no JSON object; empty: nothing.
export function problem(text: string): string {
  try {
    const made: unknown = JSON.parse(text);
    return typeof made === "object" && made !== null && !Array.isArray(made) ? "" : "A definition must be an object.";
  } catch (error) {
    return `This is not JSON: ${(error as Error).message}.`;
  }
}
