// One sign-in for all tabs of a browser: a new tab asks the others for their key, and signing out is for all of them.
import { kept } from "../api/client";

const NAME = "mainspring.tabs";
const PATIENCE_MS = 250;

type Said = { is: "asking" } | { is: "key"; key: string } | { is: "out" };

const channel = typeof BroadcastChannel === "undefined" ? undefined : new BroadcastChannel(NAME);
let left: () => void = () => {};
let given: ((key: string) => void) | undefined;

function say(said: Said): void {
  channel?.postMessage(said);
}

channel?.addEventListener("message", ({ data }: MessageEvent<Said>) => {
  if (data.is === "asking" && kept.get()) say({ is: "key", key: kept.get() });
  else if (data.is === "key") given?.(data.key);
  else if (data.is === "out" && kept.get()) {
    kept.clear();
    left();
  }
});

// Whether another tab has a key; it is this one's from now on.
export function fromOthers(): Promise<boolean> {
  if (!channel) return Promise.resolve(false);
  return new Promise((resolve) => {
    const end = (found: boolean): void => {
      given = undefined;
      clearTimeout(waiting);
      resolve(found);
    };
    const waiting = setTimeout(() => end(false), PATIENCE_MS);
    given = (key) => {
      kept.set(key);
      end(true);
    };
    say({ is: "asking" });
  });
}

// Told when another tab was signed out.
export function onLeft(listener: () => void): void {
  left = listener;
}

export function leaveAll(): void {
  kept.clear();
  say({ is: "out" });
}
