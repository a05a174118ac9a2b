// JSON values as people read them: a field a line, texts with their own line ends.
export function readable(value: unknown, depth = 0): string {
  const indent = "  ".repeat(depth);
  if (typeof value === "string") return value.includes("\n") && depth > 0 ? `\n${value.split("\n").map((line) => indent + line).join("\n")}` : value;
  if (value === null || typeof value !== "object") return String(value);
  const entries = Array.isArray(value) ? value.map((each): [string, unknown] => ["-", each]) : Object.entries(value).map(([name, each]): [string, unknown] => [`${name}:`, each]);
  if (entries.length === 0) return Array.isArray(value) ? "[]" : "{}";
  const lines = entries.map(([name, each]) => {
    const said = readable(each, depth + 1);
    const nested = said.startsWith("\n") || (typeof each === "object" && each !== null && Object.keys(each).length > 0);
    return `${indent}${name}${nested && !said.startsWith("\n") ? "\n" : said.startsWith("\n") ? "" : " "}${said}`;
  });
  return lines.join("\n");
}

// A text that is JSON within, as arguments of tools are.
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
