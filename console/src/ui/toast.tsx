// One line about what has just happened, said to screen readers too.
import { useEffect, useState, type ReactNode } from "react";

let show: (text: string) => void = () => {};

export function toast(text: string): void {
  show(text);
}

export function Toaster(): ReactNode {
  const [text, setText] = useState("");
  show = setText;
  useEffect(() => {
    if (!text) return undefined;
    const timer = setTimeout(() => setText(""), 4000);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <div className="toaster" role="status" aria-live="polite">
      {text && <div className="toast">{text}</div>}
    </div>
  );
}

export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast(`${what} copied`);
  } catch {
    toast("The browser does not allow copying here");
  }
}
