// The stages that a policy has, in a row, with where a candidate is.
import type { ReactNode } from "react";

interface Props {
  stages: { stage: string; now: boolean }[];
  // Those that it has passed; without it, all before the one where it is.
  done?: string[];
}

export function Way({ stages, done }: Props): ReactNode {
  const at = stages.findIndex((each) => each.now);
  return (
    <ol className="stages">
      {stages.map(({ stage, now }, place) => {
        const passed = done ? done.includes(stage) : place < at;
        return (
          <li key={stage} className={now ? "now" : passed ? "done" : ""} aria-current={now ? "step" : undefined}>
            {stage}<span className="hidden">{now ? ", now" : passed ? ", done" : ", not reached"}</span>
          </li>
        );
      })}
    </ol>
  );
}
