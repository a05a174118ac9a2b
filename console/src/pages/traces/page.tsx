// Traces: the latest requests, and one of them step by step.
import type { ReactNode } from "react";
import { usePlace } from "../../lib/route";
import { TraceList } from "./list";
import { TraceView } from "./trace";

export default function TracesPage(): ReactNode {
  const { rest } = usePlace();
  return rest[0] ? <TraceView key={rest[0]} id={rest[0]} /> : <TraceList />;
}
