// Agents: the list, and one agent with its definition, its versions, and a place to try it.
import type { ReactNode } from "react";
import { usePlace } from "../../lib/route";
import { AgentView } from "./agent";
import { AgentList } from "./list";

export default function AgentsPage(): ReactNode {
  const { rest } = usePlace();
  return rest[0] ? <AgentView key={rest[0]} name={rest[0]} /> : <AgentList />;
}
