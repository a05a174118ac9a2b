// Where a question is written.
import { useEffect, useState, type KeyboardEvent, type ReactNode, type RefObject } from "react";
import { Icon } from "../../ui/icon";

interface Props {
  input: RefObject<HTMLTextAreaElement | null>;
  busy: boolean;
  onSay: (text: string) => void;
  onStop: () => void;
}

export function Composer({ input, busy, onSay, onStop }: Props): ReactNode {
  const [text, setText] = useState("");
  useEffect(() => {
    const area = input.current;
    if (!area) return;
    // As high as what is written, up to what the style sheet allows.
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight}px`;
  }, [text, input]);

  const say = (): void => {
    const said = text.trim();
    if (!said || busy) return;
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
      className="composer"
      onSubmit={(event) => {
        event.preventDefault();
        say();
      }}
    >
      <div className="composer-box">
        <textarea
          ref={input}
          rows={1}
          aria-label="Your question"
          placeholder="Ask something"
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={onKeyDown}
        />
        {busy ? (
          <button type="button" className="send stop" aria-label="Stop" title="Stop (Esc)" onClick={onStop}><Icon name="stop" /></button>
        ) : (
          <button type="submit" className="send" aria-label="Send" title="Send (Enter)" disabled={!text.trim()}><Icon name="send" /></button>
        )}
      </div>
      <p className="muted small wide-only"><kbd>Enter</kbd> sends, <kbd>Shift</kbd> <kbd>Enter</kbd> begins a line, <kbd>Esc</kbd> stops, <kbd>/</kbd> comes back here</p>
    </form>
  );
}
