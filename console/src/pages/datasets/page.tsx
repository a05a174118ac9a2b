// Data sets: the list, the rows of a version with the traces that they came from, and what differs between versions.
import type { ReactNode } from "react";
import { usePlace } from "../../lib/route";
import { SetList } from "./list";
import { SetView } from "./set";

export default function DatasetsPage(): ReactNode {
  const { rest } = usePlace();
  return rest[0] ? <SetView key={rest[0]} name={rest[0]} /> : <SetList />;
}
