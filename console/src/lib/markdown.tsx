// Markdown as elements. No HTML of the text's own is ever made: what it brings of it is shown as text, pictures are not
// loaded, and only links that a click opens in another tab are links.
import { Lexer, type Token, type Tokens } from "marked";
import { Fragment, memo, type ReactNode } from "react";
import { parts } from "./citations";

const SAFE = /^(https?:|mailto:)/i;
const ENTITIES: Record<string, string> = { "&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": '"', "&#39;": "'" };

interface Props {
  text: string;
  cites?: ReadonlySet<number>;
  mark?: (number: number, key: string) => ReactNode;
}

const NONE: ReadonlySet<number> = new Set();

export const Markdown = memo(function Markdown({ text, cites = NONE, mark }: Props): ReactNode {
  const tokens = new Lexer({ gfm: true, breaks: true }).lex(text);
  return blocks(tokens, { cites, mark: mark ?? ((number) => `[${number}]`) });
});

interface Marks {
  cites: ReadonlySet<number>;
  mark: (number: number, key: string) => ReactNode;
}

function blocks(tokens: readonly Token[], marks: Marks): ReactNode[] {
  return tokens.map((token, index) => <Fragment key={index}>{block(token, marks)}</Fragment>);
}

function block(token: Token, marks: Marks): ReactNode {
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "hr":
      return <hr />;
    case "heading": {
      // The page has headings of its own: those of an answer stand below them.
      const Heading = `h${Math.min(6, (token as Tokens.Heading).depth + 2)}` as "h3";
      return <Heading>{inline(token.tokens ?? [], marks)}</Heading>;
    }
    case "code": {
      const code = token as Tokens.Code;
      return <pre tabIndex={0} data-language={code.lang || undefined}><code>{code.text}</code></pre>;
    }
    case "blockquote":
      return <blockquote>{blocks(token.tokens ?? [], marks)}</blockquote>;
    case "list":
      return list(token as Tokens.List, marks);
    case "table":
      return table(token as Tokens.Table, marks);
    case "paragraph":
      return <p>{inline(token.tokens ?? [], marks)}</p>;
    case "text":
      return token.tokens ? inline(token.tokens, marks) : plain(token.text, marks);
    default:
      return <p>{plain(token.raw, marks)}</p>;
  }
}

function list(token: Tokens.List, marks: Marks): ReactNode {
  const items = token.items.map((item, index) => (
    <li key={index}>
      {item.task && <input type="checkbox" checked={item.checked} readOnly disabled aria-label="Done" />}
      {blocks(item.tokens, marks)}
    </li>
  ));
  return token.ordered ? <ol start={Number(token.start) || 1}>{items}</ol> : <ul>{items}</ul>;
}

function table(token: Tokens.Table, marks: Marks): ReactNode {
  return (
    <div className="scroll" tabIndex={0} role="group" aria-label="Table">
      <table>
        <thead>
          <tr>{token.header.map((cell, index) => <th key={index}>{inline(cell.tokens, marks)}</th>)}</tr>
        </thead>
        <tbody>
          {token.rows.map((row, at) => (
            <tr key={at}>{row.map((cell, index) => <td key={index}>{inline(cell.tokens, marks)}</td>)}</tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function inline(tokens: readonly Token[], marks: Marks): ReactNode[] {
  return tokens.map((token, index) => <Fragment key={index}>{span(token, marks)}</Fragment>);
}

function span(token: Token, marks: Marks): ReactNode {
  const inner = (): ReactNode => (token as { tokens?: Token[] }).tokens
    ? inline((token as { tokens: Token[] }).tokens, marks)
    : plain((token as Tokens.Text).text, marks);
  switch (token.type) {
    case "strong":
      return <strong>{inner()}</strong>;
    case "em":
      return <em>{inner()}</em>;
    case "del":
      return <del>{inner()}</del>;
    case "codespan":
      return <code>{token.text}</code>;
    case "br":
      return <br />;
    case "link":
      return SAFE.test(token.href) ? (
        <a href={token.href} target="_blank" rel="noopener noreferrer nofollow" title={token.href}>
          {inner()}
        </a>
      ) : (
        inner()
      );
    case "image":
      return <span className="muted">[picture: {token.text || token.href}]</span>;
    case "text":
    case "escape":
      return inner();
    default:
      return plain(token.raw, marks);
  }
}

function plain(text: string, marks: Marks): ReactNode {
  const whole = decoded(text);
  if (marks.cites.size === 0) return whole;
  return parts(whole, marks.cites).map((part, index) => (
    <Fragment key={index}>{"text" in part ? part.text : marks.mark(part.cites, String(index))}</Fragment>
  ));
}

function decoded(text: string): string {
  return text.replace(/&(?:lt|gt|amp|quot|#39);/g, (entity) => ENTITIES[entity]!);
}

// The words of Markdown without its marks, on one line: what a card of a citation shows of a quotation.
export function words(text: string): string {
  const found = new Lexer({ gfm: true }).lex(text).map(said).filter(Boolean).join(" ");
  // A single row of a table is no table to the lexer.
  const row = /^\|?(.*?)\|?$/s.exec(found.trim())![1]!;
  return row.split(/\s\|\s/).map((cell) => cell.trim()).filter(Boolean).join(" · ").replace(/\s+/g, " ");
}

function said(token: Token): string {
  switch (token.type) {
    case "space":
    case "def":
    case "hr":
      return "";
    case "list":
      return (token as Tokens.List).items.map((item) => item.tokens.map(said).filter(Boolean).join(" ")).join("; ");
    case "table": {
      const table = token as Tokens.Table;
      const lines = [table.header, ...table.rows].map((row) => row.map((cell) => cell.tokens.map(said).join("")).join(" · "));
      return lines.join("; ");
    }
    case "br":
      return " ";
    case "code":
    case "codespan":
      return (token as Tokens.Code).text;
    default:
      return "tokens" in token && token.tokens ? token.tokens.map(said).join("") : decoded((token as Tokens.Text).text ?? token.raw);
  }
}
