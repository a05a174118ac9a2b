// What the layers that a request goes through are called for people. Most of them only pass it on.
const TITLES: Record<string, string> = {
  auth: "authentication",
  receive: "read the request",
  Limit: "rate limits",
  Shed: "overload control",
  GuardInput: "input guards",
  GuardCalls: "tool guards",
  GuardOutput: "output guards",
  Hide: "placeholders",
  Session: "session",
  Record: "record",
  Reserve: "budgets",
  Budget: "budgets",
  ResponseCache: "answer cache",
  SemanticCache: "semantic cache",
  Select: "choose what answers",
  Route: "routing",
  Moderate: "moderation",
  settle: "write the records",
};

export function title(name: string): string {
  return TITLES[name] ?? name;
}

// A step that is there for what is below it: it takes next to nothing itself.
export function passesOn(name: string, own: number, whole: number, children: number): boolean {
  return name in TITLES && children > 0 && own < Math.max(1, whole / 100);
}
