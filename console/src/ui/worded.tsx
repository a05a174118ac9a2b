// What the server says, with commands and names of settings set as code: it writes them between backquotes.
import { Fragment, type ReactNode } from "react";

export function Worded({ text }: { text: string }): ReactNode {
  const parts = text.split(/`([^`\n]+)`/);
  return parts.map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : <Fragment key={index}>{part}</Fragment>));
}
