// Keys that work on every page, and the list of them.
import { useEffect, useState, type ReactNode } from "react";
import { may } from "../api/client";
import type { Me } from "../api/types";
import { go, path } from "../lib/route";
import type { PageInfo } from "../pages/pages";
import { Dialog } from "./dialog";

const TYPING = "input, textarea, select, dialog, [contenteditable]";
// How long after `g` a page's letter is waited for.
const PATIENCE_MS = 1500;

export function letters(pages: readonly PageInfo[]): Map<string, PageInfo> {
  return new Map(pages.map((page) => [page.letter, page]));
}

export function Shortcuts({ me, pages }: { me: Me; pages: readonly PageInfo[] }): ReactNode {
  const [open, setOpen] = useState(false);
  const allowed = pages.filter((page) => may(me, page.scope));
  const byLetter = letters(allowed);
  useEffect(() => {
    let going = -Infinity;
    const press = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || (event.target instanceof Element && event.target.closest(TYPING))) return;
      if (event.key === "?") {
        event.preventDefault();
        return setOpen(true);
      }
      const page = byLetter.get(event.key);
      if (page && performance.now() - going < PATIENCE_MS) {
        event.preventDefault();
        go(path(page.name));
      }
      going = event.key === "g" ? performance.now() : -Infinity;
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [me, pages]);
  if (!open) return null;
  const rows: [string[], string][] = [
    ...[...byLetter].map(([letter, page]): [string[], string] => [["g", letter], page.title]),
    [["/"], "Write a question (in the chat)"],
    [["Enter"], "Send the question"],
    [["Shift", "Enter"], "Begin a new line"],
    [["Esc"], "Stop an answer, close what is open"],
    [["?"], "This list"],
  ];
  return (
    <Dialog title="Keyboard" onClose={() => setOpen(false)}>
      <dl className="pairs keys-list">
        {rows.map(([keys, what]) => (
          <div key={what}><dt>{what}</dt><dd>{keys.map((key) => <kbd key={key}>{key}</kbd>)}</dd></div>
        ))}
      </dl>
    </Dialog>
  );
}
