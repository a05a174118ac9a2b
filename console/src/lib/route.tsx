// Addresses of the console: /console/PAGE/... in the browser's history.
import { useSyncExternalStore, type AnchorHTMLAttributes, type MouseEvent, type ReactNode } from "react";

const BASE = "/console";
const listeners = new Set<() => void>();

export interface Place {
  page: string;
  rest: string[];
  query: URLSearchParams;
}

export function parse(href: string): Place {
  const url = new URL(href, "http://here");
  const [page = "", ...rest] = url.pathname
    .slice(url.pathname.startsWith(BASE) ? BASE.length : 0)
    .split("/")
    .filter(Boolean)
    .map(decodeURIComponent);
  return { page, rest, query: url.searchParams };
}

export function path(...parts: string[]): string {
  return [BASE, ...parts.map(encodeURIComponent)].join("/");
}

export function go(to: string, replace = false): void {
  if (to === here()) return;
  history[replace ? "replaceState" : "pushState"](null, "", to);
  for (const listener of listeners) listener();
}

function here(): string {
  return location.pathname + location.search;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  addEventListener("popstate", listener);
  return () => {
    listeners.delete(listener);
    removeEventListener("popstate", listener);
  };
}

export function usePlace(): Place {
  return parse(useSyncExternalStore(subscribe, here));
}

interface LinkProps extends AnchorHTMLAttributes<HTMLAnchorElement> {
  to: string;
  children: ReactNode;
}

export function Link({ to, onClick, children, ...rest }: LinkProps): ReactNode {
  const follow = (event: MouseEvent<HTMLAnchorElement>): void => {
    onClick?.(event);
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    go(to);
  };
  return <a href={to} onClick={follow} {...rest}>{children}</a>;
}
