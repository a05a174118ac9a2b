// Models against each other: blind votes, the leaderboard, and those who vote.
import { useState, type ReactNode } from "react";
import { get, may } from "../../api/client";
import type { Arena } from "../../api/arena";
import type { List } from "../../api/types";
import { useResource } from "../../lib/resource";
import { useMe } from "../../session";
import { Empty, Loaded } from "../../ui/states";
import { Tabbed, type View } from "../../ui/tabbed";
import { BoardView } from "./board";
import { VoteView } from "./vote";
import { VotersView } from "./voters";

export default function ArenaPage(): ReactNode {
  const admin = may(useMe(), "admin");
  const views: View[] = [
    { name: "vote", title: "Vote", view: () => <Chosen>{(arena) => <VoteView key={arena.id} arena={arena} />}</Chosen> },
    { name: "leaderboard", title: "Leaderboard", view: () => <Chosen>{(arena) => <BoardView key={arena.id} arena={arena} />}</Chosen> },
  ];
  if (admin) views.push({ name: "voters", title: "Voters", view: () => <Chosen>{(arena) => <VotersView key={arena.id} arena={arena} />}</Chosen> });
  return <Tabbed page="arena" title="Arena" about="Two models answer, you say which is better, and only then learn which they are." views={views} />;
}

// The arena that a view is about.
function Chosen({ children }: { children: (arena: Arena) => ReactNode }): ReactNode {
  const arenas = useResource("/v1/arena", (signal) => get<List<Arena>>("/v1/arena", signal));
  const [name, setName] = useState("");
  return (
    <Loaded of={arenas} what="Reading the arenas">
      {({ data }) => {
        const arena = data.find((each) => each.id === name) ?? data[0];
        if (!arena) return <Empty icon="columns" title="No arena">An administrator makes one: <code>mainspring arena define main MODEL MODEL</code></Empty>;
        return (
          <div className="stack">
            {data.length > 1 && (
              <select className="short" aria-label="Arena" value={arena.id} onChange={(event) => setName(event.target.value)}>
                {data.map((each) => <option key={each.id}>{each.id}</option>)}
              </select>
            )}
            {children(arena)}
          </div>
        );
      }}
    </Loaded>
  );
}
