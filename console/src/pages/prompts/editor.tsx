// Writing a version of a prompt: a new prompt's first, or one after those that there are.
import { useState, type ReactNode } from "react";
import { ApiError, post } from "../../api/client";
import type { PromptMessage, PromptVersion } from "../../api/prompts";
import { Button, Field, IconButton } from "../../ui/controls";
import { Dialog } from "../../ui/dialog";
import { Note } from "../../ui/states";
import { toast } from "../../ui/toast";

interface Props {
  name?: string;
  from?: PromptVersion;
  onClose: () => void;
  onMade: (made: { name: string; version: number }) => void;
}

const ROLES = ["system", "developer", "user", "assistant"];

export function VersionEditor({ name, from, onClose, onMade }: Props): ReactNode {
  const [called, setCalled] = useState(name ?? "");
  const [messages, setMessages] = useState<PromptMessage[]>(from?.messages ?? [{ role: "system", content: "" }]);
  const [note, setNote] = useState("");
  const [error, setError] = useState("");
  const [busy, setBusy] = useState(false);
  const change = (at: number, by: Partial<PromptMessage>): void => setMessages((all) => all.map((each, index) => (index === at ? { ...each, ...by } : each)));
  const submit = async (): Promise<void> => {
    setBusy(true);
    setError("");
    try {
      const made = await post<PromptVersion & { created: boolean }>(`/v1/prompts/${encodeURIComponent(called.trim())}/versions`, { messages, note: note.trim() });
      toast(made.created ? `Version ${made.version} is saved` : `Version ${made.version} says the same already`);
      onMade({ name: called.trim(), version: made.version });
    } catch (problem) {
      setError((problem as ApiError).message);
      setBusy(false);
    }
  };
  return (
    <Dialog
      title={name ? `New version of ${name}` : "New prompt"}
      subtitle="Variables are in double braces, as in {{ customer }}."
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="primary" disabled={busy || !called.trim() || messages.every((each) => !each.content.trim())} onClick={() => void submit()}>Save version</Button>
        </>
      }
    >
      {error && <Note tone="bad">{error}</Note>}
      {!name && <Field label="Name" hint="requests name it">{(ids) => <input {...ids} value={called} onChange={(event) => setCalled(event.target.value)} />}</Field>}
      {messages.map((message, index) => (
        <div key={index} className="prompt-message">
          <div className="between">
            <select aria-label={`Role of message ${index + 1}`} value={message.role} onChange={(event) => change(index, { role: event.target.value })}>
              {ROLES.map((role) => <option key={role}>{role}</option>)}
            </select>
            {messages.length > 1 && <IconButton icon="trash" size={15} label={`Remove message ${index + 1}`} onClick={() => setMessages((all) => all.filter((_, at) => at !== index))} />}
          </div>
          <textarea aria-label={`Text of message ${index + 1}`} rows={index === 0 ? 7 : 4} className="mono" value={message.content} onChange={(event) => change(index, { content: event.target.value })} />
        </div>
      ))}
      <div><Button kind="quiet" icon="plus" onClick={() => setMessages((all) => [...all, { role: "user", content: "" }])}>Add a message</Button></div>
      <Field label="Note" hint="what changed, optional">{(ids) => <input {...ids} value={note} maxLength={2000} onChange={(event) => setNote(event.target.value)} />}</Field>
    </Dialog>
  );
}
