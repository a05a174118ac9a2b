// A stream of the desk as a page shows it: the latest event, and begun again after it breaks.
import { useEffect, useState } from "react";
import { ApiError } from "../../api/client";
import { follow } from "../../api/desk";

const AGAIN_MS = 3000;

export interface Followed<T> {
  data: T | undefined;
  error: ApiError | undefined;
}

export function useFollowed<T>(url: string): Followed<T> {
  const [state, setState] = useState<{ url: string } & Followed<T>>({ url, data: undefined, error: undefined });
  useEffect(() => {
    const stopping = new AbortController();
    let timer = 0;
    const begin = async (): Promise<void> => {
      try {
        await follow<T>(url, stopping.signal, (data) => setState({ url, data, error: undefined }));
      } catch (error) {
        if (stopping.signal.aborted) return;
        const known = error instanceof ApiError ? error : new ApiError("The connection was lost.", 0, "unreachable");
        setState((old) => ({ url, data: old.url === url ? old.data : undefined, error: known }));
        // What is refused stays refused.
        if (known.status >= 400 && known.status < 500) return;
      }
      if (!stopping.signal.aborted) timer = window.setTimeout(() => void begin(), AGAIN_MS);
    };
    void begin();
    return () => {
      stopping.abort();
      clearTimeout(timer);
    };
  }, [url]);
  return state.url === url ? state : { data: undefined, error: undefined };
}
