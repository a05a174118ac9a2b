// Who votes, and how: suspicions, drift, and exclusion.
import type { ReactNode } from "react";
import { ApiError, get } from "../../api/client";
import { exclude, of, type Arena, type Voter } from "../../api/arena";
import type { List } from "../../api/types";
import { count, duration, percent } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Line } from "../../ui/chart";
import { Badge, Button, IconButton } from "../../ui/controls";
import { Empty, Loaded } from "../../ui/states";
import { toast } from "../../ui/toast";

const WHY: Record<string, string> = { side: "always one side", quick: "too fast to have read the answers", against: "against everybody else" };

export function VotersView({ arena }: { arena: Arena }): ReactNode {
  const url = of(arena.id, "voters");
  const found = useResource(url, (signal) => get<List<Voter>>(url, signal));
  const change = async (voter: Voter): Promise<void> => {
    try {
      await exclude(arena.id, voter.id, voter.excluded === null);
      found.reload();
    } catch (error) {
      toast((error as ApiError).message);
    }
  };
  return (
    <section className="stack" aria-label="Voters">
      <div className="section-head">
        <p className="muted">Excluded votes do not count in the leaderboard; they are kept.</p>
        <IconButton icon="refresh" label="Refresh" onClick={found.reload} disabled={found.loading} />
      </div>
      <Loaded of={found} what="Reading the votes">
        {({ data }) => data.length === 0 ? <Empty icon="columns" title="There are no votes yet" /> : (
          <div className="scroll" tabIndex={0} role="group" aria-label="Voters">
            <table className="table">
              <thead><tr><th>Key</th><th className="number">Votes</th><th className="number">Left wins</th><th className="number">Time</th><th className="number">Agreement</th><th className="number">Drift</th><th className="wide">By week</th><th>Suspicions</th><th className="tools"><span className="hidden">Actions</span></th></tr></thead>
              <tbody>
                {data.map((voter) => (
                  <tr key={voter.id}>
                    <td className="breaking"><code>{voter.id}</code></td>
                    <td className="number">{count(voter.votes)}</td>
                    <td className="number">{percent(voter.left)}</td>
                    <td className="number">{duration(voter.seconds)}</td>
                    <td className="number">{voter.against.toFixed(1)}</td>
                    <td className="number">{voter.drift.toFixed(1)}</td>
                    <td className="wide over-time"><Line label={`Agreement of ${voter.id}`} values={voter.weeks.map((week) => week.agreement)} max={1} format={percent} /></td>
                    <td>{voter.excluded !== null ? <Badge>excluded</Badge> : voter.suspicions.map((each) => <Badge key={each} tone="warn">{WHY[each] ?? each}</Badge>)}</td>
                    <td><Button onClick={() => void change(voter)}>{voter.excluded === null ? "Exclude" : "Count again"}</Button></td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Loaded>
      <p className="muted small">Agreement and drift are in standard errors from the value that the others' ratings predict. Below −2.5, a person votes against everybody else.</p>
    </section>
  );
}
