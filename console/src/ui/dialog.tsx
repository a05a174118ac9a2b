// Dialogs and drawers on the browser's own element, which keeps the focus inside and closes on Escape.
import { useId, useLayoutEffect, useRef, type ReactNode } from "react";
import { Button, IconButton } from "./controls";

interface DialogProps {
  title: string;
  kind?: "dialog" | "drawer";
  wide?: boolean;
  onClose: () => void;
  children: ReactNode;
  actions?: ReactNode;
  subtitle?: ReactNode;
}

export function Dialog({ title, subtitle, kind = "dialog", wide = false, onClose, children, actions }: DialogProps): ReactNode {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  // Closed while it is still in the page, or the focus would not go back to where it came from.
  useLayoutEffect(() => {
    const dialog = ref.current!;
    if (!dialog.open) dialog.showModal();
    dialog.querySelector<HTMLElement>(".dialog-body :is(input, textarea, select)")?.focus();
    return () => dialog.close();
  }, []);
  return (
    <dialog
      ref={ref}
      className={wide ? `${kind} wide` : kind}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => {
        // The element itself is only hit outside of what is in it.
        if (event.target === ref.current) onClose();
      }}
    >
      <div className="dialog-box">
        <header>
          <div>
            <h2 id={id}>{title}</h2>
            {subtitle && <p className="muted small">{subtitle}</p>}
          </div>
          <IconButton icon="close" label="Close" onClick={onClose} />
        </header>
        <div className="dialog-body" tabIndex={kind === "drawer" ? 0 : undefined}>{children}</div>
        {actions && <footer>{actions}</footer>}
      </div>
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  verb: string;
  onYes: () => void;
  onClose: () => void;
  children: ReactNode;
  busy?: boolean;
}

export function Confirm({ title, verb, onYes, onClose, children, busy }: ConfirmProps): ReactNode {
  return (
    <Dialog
      title={title}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button kind="danger" onClick={onYes} disabled={busy}>{verb}</Button>
        </>
      }
    >
      {children}
    </Dialog>
  );
}
