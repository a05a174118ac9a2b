// Signing in with an API key.
import { useState, type FormEvent, type ReactNode } from "react";
import { ApiError, kept, whoAsks } from "../api/client";
import { Button, Field } from "../ui/controls";
import { Logo } from "../ui/icon";
import { Note } from "../ui/states";

export function Login({ why, onKey }: { why: string; onKey: () => void }): ReactNode {
  const [key, setKey] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setError("");
    const given = key.trim();
    if (!given) return setError("Enter an API key.");
    setBusy(true);
    try {
      await whoAsks(given);
      kept.set(given);
      onKey();
    } catch (problem) {
      setError((problem as ApiError).message);
    } finally {
      setBusy(false);
    }
  };

  return (
    <main className="login">
      <form onSubmit={submit} noValidate>
        <Logo size={44} />
        <h1>Sign in to mainspring</h1>
        {why && !error && <Note tone="warn">You were signed out. {why}</Note>}
        <Field
          label="API key"
          error={error}
          hint="It stays in this browser's tabs and is only sent to this server."
        >
          {(ids) => (
            <input
              {...ids}
              type="password"
              name="key"
              autoComplete="off"
              autoFocus
              spellCheck={false}
              placeholder="ms-…"
              value={key}
              aria-invalid={error !== ""}
              onChange={(event) => setKey(event.target.value)}
            />
          )}
        </Field>
        <Button kind="primary" type="submit" disabled={busy}>{busy ? "Signing in …" : "Sign in"}</Button>
        <p className="hint">
          The first <code>mainspring up</code> shows an admin key. <code>mainspring keys create NAME</code> makes others.
        </p>
      </form>
    </main>
  );
}
