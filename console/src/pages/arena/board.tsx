// The leaderboard: ratings with their intervals, with or without the style of answers.
import { useState, type ReactNode } from "react";
import { get } from "../../api/client";
import { of, type Arena, type Board, type Estimate } from "../../api/arena";
import { count, plural } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { IconButton } from "../../ui/controls";
import { Empty, Loaded, Note } from "../../ui/states";

const QUALITIES = ["length", "headings", "lists", "bold"];

export function BoardView({ arena }: { arena: Arena }): ReactNode {
  const [styled, setStyled] = useState(false);
  const [category, setCategory] = useState("");
  const asked = new URLSearchParams(category ? { category } : {});
  if (styled) QUALITIES.forEach((each) => asked.append("style", each));
  const url = `${of(arena.id, "leaderboard")}?${asked}`;
  const board = useResource(url, (signal) => get<Board>(url, signal));
  return (
    <section className="stack" aria-label="Leaderboard">
      <div className="section-head">
        <span className="row wraps">
          {arena.categories.length > 0 && (
            <select className="short" aria-label="Category" value={category} onChange={(event) => setCategory(event.target.value)}>
              <option value="">All categories</option>
              {arena.categories.map((each) => <option key={each}>{each}</option>)}
            </select>
          )}
          <label className="check"><input type="checkbox" checked={styled} onChange={(event) => setStyled(event.target.checked)} /> Corrected for the style of answers</label>
        </span>
        <IconButton icon="refresh" label="Refresh" onClick={board.reload} disabled={board.loading} />
      </div>
      <Loaded of={board} what="Rating the models">{(found) => <Table board={found} />}</Loaded>
    </section>
  );
}

function Table({ board }: { board: Board }): ReactNode {
  if (board.data.length === 0) return <Empty icon="columns" title="No votes yet">Vote a few times: ratings need votes that connect the models.</Empty>;
  const low = Math.min(...board.data.map((each) => each.rating.low));
  const high = Math.max(...board.data.map((each) => each.rating.high));
  return (
    <>
      <p className="muted">{`${plural(board.votes, "vote")} of ${plural(board.voters, "person", "people")}. Bars are 95 % intervals; models share a rank where they overlap.`}</p>
      <div className="scroll" tabIndex={0} role="group" aria-label="Ratings">
        <table className="table">
          <thead><tr><th className="number">Rank</th><th>Model</th><th className="number">Rating</th><th className="wide">Interval</th><th className="number">Won</th><th className="number">Lost</th><th className="number">Ties</th></tr></thead>
          <tbody>
            {board.data.map((each) => (
              <tr key={each.model}>
                <td className="number">{each.rank}</td>
                <td className="breaking">{each.model}</td>
                <td className="number">{Math.round(each.rating.value)}</td>
                <td className="wide"><Span name={each.model} found={each.rating} low={low} high={high} /></td>
                <td className="number">{count(each.wins)}</td>
                <td className="number">{count(each.losses)}</td>
                <td className="number">{count(each.ties)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {Object.entries(board.style).map(([name, found]) => (
        <p key={name} className="muted small">{`${name}: one standard deviation more gains ${found.value.toFixed(2)} log odds, between ${found.low.toFixed(2)} and ${found.high.toFixed(2)}.`}</p>
      ))}
      {board.not_compared.length > 0 && <Note tone="warn">{`No votes connect these with the others: ${board.not_compared.join(", ")}.`}</Note>}
    </>
  );
}

// An interval on the scale that all rows share.
export function Span({ name, found, low, high }: { name: string; found: Estimate; low: number; high: number }): ReactNode {
  const place = (value: number): number => (100 * (value - low)) / (high - low || 1);
  return (
    <svg className="interval" viewBox="0 0 100 12" preserveAspectRatio="none" role="img" aria-label={`${name}: ${found.value.toFixed(0)}, between ${found.low.toFixed(0)} and ${found.high.toFixed(0)}`}>
      <line x1={place(found.low)} x2={place(found.high)} y1="6" y2="6" />
      <line x1={place(found.value)} x2={place(found.value)} y1="1" y2="11" />
    </svg>
  );
}
