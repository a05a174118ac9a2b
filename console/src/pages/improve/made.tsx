// What a campaign made, by its version or its id, with the way to where it comes from.
import type { ReactNode } from "react";
import { Link, path } from "../../lib/route";

export function Made({ version, candidate }: { version: string | null; candidate: string | null }): ReactNode {
  const name = version || candidate;
  return name ? <Link to={lineageOf(candidate || name)} className="mono breaking">{name}</Link> : <>–</>;
}

export function lineageOf(name: string): string {
  return `${path("improve", "lineage")}?of=${encodeURIComponent(name)}`;
}
