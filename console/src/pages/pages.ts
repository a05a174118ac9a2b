// The console's pages, found by their place: a folder with `about.ts`, which the menu needs, and `page.tsx`, which is
// loaded when somebody goes there.
import type { ComponentType } from "react";
import type { Scope } from "../api/types";
import type { IconName } from "../ui/icon";

export interface About {
  // The menu is in this order.
  place: number;
  // The heading that it stands under. Pages of a group are next to each other.
  group: "Ask" | "Agents" | "Evaluate" | "Data" | "Improve" | "Operate";
  // `g` and this key lead there.
  letter: string;
  title: string;
  icon: IconName;
  scope: Scope;
}

export interface PageInfo extends About {
  name: string;
  load: () => Promise<{ default: ComponentType }>;
}

const ABOUTS = import.meta.glob<About>("./*/about.ts", { eager: true, import: "ABOUT" });
const CONTENTS = import.meta.glob<{ default: ComponentType }>("./*/page.tsx");

export const PAGES: PageInfo[] = Object.entries(ABOUTS)
  .map(([file, about]) => {
    const name = file.split("/")[1]!;
    return { ...about, name, load: CONTENTS[`./${name}/page.tsx`]! };
  })
  .sort((one, other) => one.place - other.place);
