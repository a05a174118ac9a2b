// What a page loads: not there yet, there, or failed.
import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError } from "../api/client";

export interface Resource<T> {
  data: T | undefined;
  error: ApiError | undefined;
  loading: boolean;
  reload: () => void;
}

// Loads again whenever `key` changes; what was there is shown until the new has come, where only `reload` asked for it.
export function useResource<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Resource<T> {
  const [state, setState] = useState<{ key: string; data?: T; error?: ApiError; loading: boolean }>({
    key,
    loading: true,
  });
  const [turn, setTurn] = useState(0);
  const loader = useRef(load);
  loader.current = load;
  useEffect(() => {
    const stopping = new AbortController();
    setState((old) => (old.key === key ? { ...old, loading: true } : { key, loading: true }));
    loader.current(stopping.signal).then(
      (data) => setState({ key, data, loading: false }),
      (error: unknown) => {
        if (stopping.signal.aborted) return;
        const known = error instanceof ApiError ? error : new ApiError("This could not be read.", 0, "unreadable");
        setState((old) => ({ ...old, error: known, loading: false }));
      },
    );
    return () => stopping.abort();
  }, [key, turn]);
  const reload = useCallback(() => setTurn((each) => each + 1), []);
  const current = state.key === key ? state : { data: undefined, error: undefined, loading: true };
  return { data: current.data, error: current.error, loading: current.loading, reload };
}
