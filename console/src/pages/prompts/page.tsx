// Prompts: the registry's list, and one prompt with its versions and labels.
import type { ReactNode } from "react";
import { usePlace } from "../../lib/route";
import { PromptList } from "./list";
import { PromptView } from "./prompt";

export default function PromptsPage(): ReactNode {
  const { rest } = usePlace();
  return rest[0] ? <PromptView key={rest[0]} name={rest[0]} /> : <PromptList />;
}
