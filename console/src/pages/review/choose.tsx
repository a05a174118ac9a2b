// The queue that a view is about; its name is in the address.
import type { ReactNode } from "react";
import { get } from "../../api/client";
import type { Queue } from "../../api/review";
import type { List } from "../../api/types";
import { useResource } from "../../lib/resource";
import { go, path, usePlace } from "../../lib/route";
import { Empty, Loaded } from "../../ui/states";

interface Props {
  view: string;
  label: string;
  tools?: (queue: Queue) => ReactNode;
  children: (queue: Queue) => ReactNode;
}

export function OfQueue({ view, label, tools, children }: Props): ReactNode {
  const { rest } = usePlace();
  const queues = useResource("review queues", (signal) => get<List<Queue>>("/v1/review/queues", signal));
  return (
    <section className="stack" aria-label={label}>
      <Loaded of={queues} what="Reading the queues">
        {({ data }) => {
          const queue = data.find((each) => each.name === rest[1]) ?? data[0];
          if (!queue) return <Empty icon="review" title="There is no review queue">A key with the scope curate can create one under Queues, or with <code>mainspring review create NAME</code>.</Empty>;
          return (
            <>
              <div className="section-head">
                <select className="short" aria-label="Queue" value={queue.name} onChange={(event) => go(path("review", view, event.target.value))}>
                  {data.map((each) => <option key={each.id} value={each.name}>{each.definition.title || each.name}</option>)}
                </select>
                {tools?.(queue)}
              </div>
              {children(queue)}
            </>
          );
        }}
      </Loaded>
    </section>
  );
}
