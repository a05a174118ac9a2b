// The console's table of contents. A page is here when it works.
import type { ComponentType } from "react";
import type { Scope } from "../api/types";
import type { IconName } from "../ui/icon";

export interface PageInfo {
  name: string;
  title: string;
  icon: IconName;
  scope: Scope;
  load: () => Promise<{ default: ComponentType }>;
}

export const PAGES: PageInfo[] = [
  { name: "chat", title: "Chat", icon: "chat", scope: "chat", load: () => import("./chat/page") },
  { name: "knowledge", title: "Knowledge", icon: "knowledge", scope: "chat", load: () => import("./knowledge/page") },
  { name: "prompts", title: "Prompts", icon: "prompts", scope: "prompts", load: () => import("./prompts/page") },
  { name: "traces", title: "Traces", icon: "traces", scope: "admin", load: () => import("./traces/page") },
  { name: "costs", title: "Costs", icon: "costs", scope: "admin", load: () => import("./costs/page") },
  { name: "quality", title: "Quality & safety", icon: "shield", scope: "admin", load: () => import("./quality/page") },
  { name: "approvals", title: "Approvals", icon: "check", scope: "approve", load: () => import("./approvals/page") },
  { name: "live", title: "Live", icon: "live", scope: "admin", load: () => import("./live/page") },
  { name: "settings", title: "Settings", icon: "settings", scope: "admin", load: () => import("./settings/page") },
];
