// Runs of agents: the list, and one run step by step.
import type { ReactNode } from "react";
import { usePlace } from "../../lib/route";
import { RunList } from "./list";
import { RunView } from "./run";

export default function RunsPage(): ReactNode {
  const { rest } = usePlace();
  return rest[0] ? <RunView key={rest[0]} id={rest[0]} /> : <RunList />;
}
