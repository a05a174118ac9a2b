// A conversation as text to be read elsewhere.
import type { Conversation } from "./conversations";
import { path } from "./tree";

export function markdown(conversation: Conversation): string {
  const lines = [`# ${conversation.title || "Conversation"}`, ""];
  conversation.panes.forEach((pane) => {
    if (conversation.panes.length > 1) lines.push(`## ${pane.model}`, "");
    for (const turn of path(pane)) {
      lines.push(turn.role === "user" ? "**Question**" : `**${turn.answer?.model ?? "Answer"}**`, "", turn.text, "");
      for (const each of turn.answer?.citations ?? []) {
        lines.push(`[${each.index}] ${[each.source, each.page ? `page ${each.page}` : "", each.heading].filter(Boolean).join(", ")}: “${each.quote}”`, "");
      }
    }
  });
  return lines.join("\n");
}

export function contains(conversation: Conversation, words: string): boolean {
  const wanted = words.trim().toLowerCase();
  const has = (text: string): boolean => text.toLowerCase().includes(wanted);
  return has(conversation.title) || conversation.panes.some((pane) => Object.values(pane.turns).some((turn) => has(turn.text)));
}

export function save(name: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/markdown" }));
  link.download = `${name.replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 60) || "conversation"}.md`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
