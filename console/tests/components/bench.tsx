// A page's surroundings in tests: who is signed in, and a server of answers that the test writes out.
import { cleanup, configure, render, type RenderResult } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, beforeEach, vi } from "vitest";
import type { Me } from "../../src/api/types";
import { leave } from "../../src/lib/conversations";
import { Session } from "../../src/session";

// A busy machine must not fail a test by the clock.
configure({ asyncUtilTimeout: 10_000 });

export const ADMIN: Me = { tenant: "default", key_id: "key_1", key_name: "admin", scopes: ["admin"], groups: [], tier: "" };

export interface Call {
  method: string;
  path: string;
  body: unknown;
  ifMatch?: string;
  consent?: string;
}

type Reply = unknown | ((call: Call) => unknown);

export const calls: Call[] = [];
let replies: Record<string, Reply> = {};

// `routes`: "GET /v1/things" to the JSON that it answers, or a function that makes it, at once or later; a Response is sent
// as it is.
export function serve(routes: Record<string, Reply>): void {
  replies = { ...replies, ...routes };
}

export function refusal(status: number, message: string, code = "refused"): Response {
  return new Response(JSON.stringify({ error: { message, code, param: null } }), { status });
}

export function show(node: ReactNode, me: Me = ADMIN): RenderResult {
  return render(<Session.Provider value={me}>{node}</Session.Provider>);
}

beforeEach(() => {
  calls.length = 0;
  replies = {};
  localStorage.clear();
  sessionStorage.setItem("mainspring.key", "ms-test");
  history.replaceState(null, "", "/console/chat");
  // This browser has no dialogs of its own.
  HTMLDialogElement.prototype.showModal = function () {
    this.open = true;
  };
  HTMLDialogElement.prototype.close = function () {
    this.open = false;
  };
  // Nor does it lay anything out, so there is nothing to scroll to.
  Element.prototype.scrollIntoView = () => {};
  Element.prototype.scrollTo = () => {};
  vi.stubGlobal("fetch", async (url: string, init: RequestInit = {}) => {
    const { pathname, search } = new URL(url, "http://here");
    const call: Call = { method: init.method ?? "GET", path: pathname + search, body: init.body ? JSON.parse(String(init.body)) : undefined };
    const seen = new Headers(init.headers).get("if-match");
    if (seen) call.ifMatch = seen;
    const consent = new Headers(init.headers).get("x-training-consent");
    if (consent) call.consent = consent;
    calls.push(call);
    const reply = replies[`${call.method} ${call.path}`] ?? replies[`${call.method} ${pathname}`];
    if (reply === undefined) return refusal(404, `no ${call.method} ${call.path}`, "not_found");
    const made = await (typeof reply === "function" ? reply(call) : reply);
    return made instanceof Response ? made : new Response(JSON.stringify(made), { status: 200 });
  });
});

afterEach(() => {
  cleanup();
  // What is saved soon would be saved when the window of the test is gone.
  leave();
  vi.unstubAllGlobals();
});
