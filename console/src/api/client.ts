// Requests to the server with the key of whoever is signed in.
import type { Me, Scope } from "./types";

const KEY = "mainspring.key";

export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string,
    readonly param: string | null = null,
    readonly traceId: string | null = null,
  ) {
    super(message);
  }
}

// The key lives in tabs, and is written nowhere: it goes with the last of them. A tab that has none asks the others.
export const kept = {
  get: (): string => sessionStorage.getItem(KEY) ?? "",
  set: (key: string): void => sessionStorage.setItem(KEY, key),
  clear: (): void => sessionStorage.removeItem(KEY),
};

let refused: (error: ApiError) => void = () => {};

// Told of a key that is refused in the middle of the work: it was revoked, or has expired.
export function onRefusal(listener: (error: ApiError) => void): void {
  refused = listener;
}

export async function failure(response: Response): Promise<ApiError> {
  const trace = response.headers.get("x-trace-id");
  let message = `The server answered ${response.status}.`;
  let code = "http_error";
  let param: string | null = null;
  try {
    const { error } = await response.json();
    message = sentence(error.message);
    code = error.code;
    param = error.param;
  } catch {
    // Something between us and the server answered, not the server.
  }
  return new ApiError(message, response.status, code, param, trace);
}

export function sentence(text: string): string {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?`]$/.test(whole) ? whole : `${whole}.`;
}

export async function send(path: string, init: RequestInit = {}, key = kept.get()): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, { ...init, headers: { ...init.headers, authorization: `Bearer ${key}` } });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError("The server cannot be reached. Is it running?", 0, "unreachable");
  }
  if (response.ok) return response;
  const error = await failure(response);
  if (error.status === 401 && key === kept.get()) refused(error);
  throw error;
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await send(path, { signal })).json();
}

export async function post<T>(path: string, body: unknown, signal?: AbortSignal, more: Record<string, string> = {}): Promise<T> {
  return (await sendJson("POST", path, body, more, signal)).json();
}

// `seen`: the revision that the change is made to; the server refuses where it is another by now.
export async function put<T>(path: string, body: unknown, seen: number): Promise<T> {
  return (await sendJson("PUT", path, body, { "if-match": `"${seen}"` })).json();
}

function sendJson(method: string, path: string, body: unknown, more: Record<string, string>, signal?: AbortSignal): Promise<Response> {
  return send(path, { method, headers: { "content-type": "application/json", ...more }, body: JSON.stringify(body), signal });
}

export async function remove<T>(path: string): Promise<T> {
  return (await send(path, { method: "DELETE" })).json();
}

export async function whoAsks(key: string): Promise<Me> {
  return (await send("/v1/me", {}, key)).json();
}

export function may(me: Me, scope: Scope): boolean {
  return me.scopes.includes(scope) || (scope !== "operate" && me.scopes.includes("admin"));
}

// A file goes up by XMLHttpRequest: fetch does not tell how much of a body has been sent.
export function upload(file: File, progress: (share: number) => void, signal: AbortSignal, purpose = "assistants"): Promise<{ id: string }> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const form = new FormData();
    form.set("purpose", purpose);
    form.set("file", file);
    request.open("POST", "/v1/files");
    request.setRequestHeader("authorization", `Bearer ${kept.get()}`);
    request.upload.onprogress = (event) => progress(event.lengthComputable ? event.loaded / event.total : 0);
    request.onerror = () => reject(new ApiError("The upload was cut off.", 0, "unreachable"));
    request.onload = () => {
      if (request.status < 300) return resolve(JSON.parse(request.responseText));
      failure(new Response(request.responseText, { status: request.status })).then(reject);
    };
    signal.addEventListener("abort", () => request.abort());
    request.onabort = () => reject(new DOMException("stopped", "AbortError"));
    request.send(form);
  });
}
