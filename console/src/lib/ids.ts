// Names for what is made here. Where the page has no secure context, the browser offers no UUIDs.
export function newId(): string {
  return crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join("");
}
