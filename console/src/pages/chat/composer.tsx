// Where a question is written.
import { useEffect, useState, type KeyboardEvent, type ReactNode, type RefObject } from "react";
import { IconButton } from "../../ui/controls";
import { Icon } from "../../ui/icon";

interface Props {
  input: RefObject<HTMLTextAreaElement | null>;
  busy: boolean;
  // Why nothing can be sent yet.
  waiting: string;
  // Undefined: the key may not attach files.
  onAttach?: () => void;
  onFiles?: (files: File[]) => void;
  children?: ReactNode;
  onSay: (text: string) => void;
  onStop: () => void;
}

export function Composer({ input, busy, waiting, onAttach, onFiles, children, onSay, onStop }: Props): ReactNode {
  const [text, setText] = useState("");
  const [over, setOver] = useState(false);
  useEffect(() => {
    const area = input.current;
    if (!area) return;
    // As high as what is written, up to what the style sheet allows.
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight}px`;
  }, [text, input]);

  const say = (): void => {
    const said = text.trim();
    if (!said || busy || waiting) return;
    setText("");
    onSay(said);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      say();
    } else if (event.key === "Escape" && busy) {
      onStop();
    }
  };
  return (
    <form
      className={`composer ${over ? "over" : ""}`}
      onDragOver={(event) => {
        if (!onFiles) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        if (!onFiles) return;
        event.preventDefault();
        setOver(false);
        if (event.dataTransfer.files.length > 0) onFiles([...event.dataTransfer.files]);
      }}
      onSubmit={(event) => {
        event.preventDefault();
        say();
      }}
    >
      {children}
      <div className="composer-box">
        <IconButton
          className="attach"
          icon="clip"
          size={19}
          label={onAttach ? "Attach files" : "Attaching files needs a key with the scope ingest"}
          disabled={!onAttach}
          onClick={onAttach}
        />
        <textarea
          ref={input}
          rows={1}
          aria-label="Your question"
          placeholder="Ask a question"
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={onKeyDown}
        />
        {busy ? (
          <button type="button" className="send stop" aria-label="Stop" title="Stop (Esc)" onClick={onStop}><Icon name="stop" /></button>
        ) : (
          <button type="submit" className="send" aria-label="Send" title="Send (Enter)" disabled={!text.trim() || waiting !== ""}><Icon name="send" /></button>
        )}
      </div>
      {waiting ? (
        <p className="muted small" role="status">{waiting}</p>
      ) : (
        <p className="muted small wide-only"><kbd>Enter</kbd> to send, <kbd>Shift</kbd> <kbd>Enter</kbd> for a new line, <kbd>Esc</kbd> to stop, <kbd>/</kbd> to write, <kbd>?</kbd> for all shortcuts</p>
      )}
    </form>
  );
}
