// Experiments: the list, and the report of one with answers side by side.
import type { ReactNode } from "react";
import { usePlace } from "../../lib/route";
import { ExperimentView } from "./experiment";
import { ExperimentList } from "./list";

export default function ExperimentsPage(): ReactNode {
  const { rest } = usePlace();
  return rest[0] ? <ExperimentView key={rest[0]} id={rest[0]} /> : <ExperimentList />;
}
