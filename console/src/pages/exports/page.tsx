// Exports for training: the list, and one with its card, files, lineage and copies.
import type { ReactNode } from "react";
import { usePlace } from "../../lib/route";
import { ExportView } from "./export";
import { ExportList } from "./list";

export default function ExportsPage(): ReactNode {
  const { rest } = usePlace();
  return rest[0] ? <ExportView key={rest[0]} id={rest[0]} /> : <ExportList />;
}
