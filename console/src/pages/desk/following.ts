// A stream of the desk as a page shows it: the latest event, and begun again after it breaks.
import { useEffect, useState } from "react";
import { ApiError } from "../../api/client";
import { follow } from "../../api/desk";

const AGAIN_MS = 3000;

export interface Followed<T> {
  data: T | undefined;
  error: ApiError | undefined;
}

// Only a page in sight follows: a browser has six connections to a server, for all tabs, and pages that were left may
// keep theirs for a minute.
export function useFollowed<T>(url: string): Followed<T> {
  const [state, setState] = useState<{ url: string } & Followed<T>>({ url, data: undefined, error: undefined });
  useEffect(() => {
    let stopping = new AbortController();
    let timer = 0;
    let refused = false;
    const begin = async (): Promise<void> => {
      const { signal } = stopping;
      try {
        await follow<T>(url, signal, (data) => setState({ url, data, error: undefined }));
      } catch (error) {
        if (signal.aborted) return;
        const known = error instanceof ApiError ? error : new ApiError("The connection was lost.", 0, "unreachable");
        setState((old) => ({ url, data: old.url === url ? old.data : undefined, error: known }));
        // What is refused stays refused.
        refused = known.status >= 400 && known.status < 500;
      }
      if (!signal.aborted && !refused) timer = window.setTimeout(() => void begin(), AGAIN_MS);
    };
    const stop = (): void => {
      stopping.abort();
      clearTimeout(timer);
    };
    const look = (): void => {
      stop();
      if (document.hidden || refused) return;
      stopping = new AbortController();
      void begin();
    };
    look();
    document.addEventListener("visibilitychange", look);
    addEventListener("pagehide", stop);
    addEventListener("pageshow", look);
    return () => {
      stop();
      document.removeEventListener("visibilitychange", look);
      removeEventListener("pagehide", stop);
      removeEventListener("pageshow", look);
    };
  }, [url]);
  return state.url === url ? state : { data: undefined, error: undefined };
}
