// Traces: the latest requests, one of them step by step, and replays of one.
import type { ReactNode } from "react";
import { usePlace } from "../../lib/route";
import { TraceList } from "./list";
import { ReplayView } from "./replay";
import { TraceView, type Shown } from "./trace";

export default function TracesPage(): ReactNode {
  const { rest } = usePlace();
  const [id, what, replay] = rest;
  if (!id) return <TraceList />;
  if (what === "replay" && replay) return <ReplayView key={replay} trace={id} id={replay} />;
  const shown: Shown = what === "prompt" || what === "facts" ? what : "steps";
  return <TraceView key={id} id={id} shown={shown} />;
}
