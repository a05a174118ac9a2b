// Icons, drawn on a grid of 24 with lines of 1.75.
import type { ReactNode } from "react";

const PATHS = {
  chat: "M4 5h16v11H9l-5 4z",
  traces: "M4 6h9M8 12h9M12 18h8",
  knowledge: "M5 4h11a3 3 0 0 1 3 3v13H8a3 3 0 0 1-3-3zM5 17a3 3 0 0 1 3-3h11",
  costs: "M12 3v18M16.500 7.500C16 6 14.500 5.200 12.300 5.200c-2.600 0-4.300 1.200-4.300 3.200 0 4.600 9 2.400 9 7 0 2.200-1.900 3.500-4.700 3.500-2.500 0-4.300-1-4.800-2.900",
  live: "M3 12h4l3-8 4 16 3-8h4",
  settings: "M4 7h10M18 7h2M4 17h2M10 17h10M16 4.500v5M8 14.500v5",
  send: "M5 12h13M12 5l7 7-7 7",
  stop: "M7 7h10v10H7z",
  again: "M20 11a8 8 0 1 0-2 6M20 4v7h-7",
  branch: "M7 4v16M7 9c0 4 10 1 10 6v1M17 16v4M7 4v0",
  up: "M7 11v9H4v-9zM7 11l4-7c1.700 0 2.600 1.200 2.300 2.700L12.800 9H18c1.500 0 2.300 1.200 2 2.500l-1.400 6.500c-.3 1.200-1.200 2-2.400 2H7",
  down: "M7 13V4H4v9zM7 13l4 7c1.700 0 2.600-1.200 2.300-2.700l-.5-2.300H18c1.500 0 2.300-1.200 2-2.500l-1.400-6.500C18.300 4.800 17.400 4 16.200 4H7",
  edit: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  close: "M6 6l12 12M18 6L6 18",
  plus: "M12 5v14M5 12h14",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
  history: "M12 8v4.500l3 2M3.500 12a8.500 8.500 0 1 0 2.700-6.200L4 8M4 4v4h4",
  menu: "M4 7h16M4 12h16M4 17h16",
  left: "M14 6l-6 6 6 6",
  right: "M10 6l6 6-6 6",
  quote: "M10 7c-3 1-4.500 3-4.500 6v4H10v-4.500H7.500M18.500 7c-3 1-4.500 3-4.500 6v4h4.500v-4.500H16",
  columns: "M4 5h16v14H4zM12 5v14",
  sliders: "M5 8h14M5 16h14M9 5.500v5M15 13.500v5",
  clip: "M20 11.500l-8.300 8.300a5 5 0 0 1-7.100-7.100l8.700-8.700a3.300 3.300 0 0 1 4.700 4.700l-8.700 8.700a1.700 1.700 0 0 1-2.400-2.400l7.900-7.900",
  shield: "M12 3l8 3v5.500c0 4.700-3.300 8-8 9.500-4.700-1.500-8-4.800-8-9.500V6zM8.500 12l2.500 2.500 4.500-5",
  prompts: "M5 4h14v16H5zM8.500 9h7M8.500 13h7M8.500 17h4",
  bell: "M6 17V11a6 6 0 0 1 12 0v6l1.500 1.500h-15zM10 20.500h4",
  pause: "M8 6v12M16 6v12",
  play: "M8 5l11 7-11 7z",
  upload: "M12 16V5M7 10l5-5 5 5M4 19h16",
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l4.500 4.500",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  out: "M14 4h5v16h-5M4 12h10M10 8l4 4-4 4",
  check: "M5 13l4 4L19 7",
  warning: "M12 4l9 16H3zM12 10v4M12 17v.2",
  lock: "M6 11h12v9H6zM9 11V8a3 3 0 0 1 6 0v3",
  refresh: "M20 11a8 8 0 1 0-2 6M20 4v7h-7",
  agents: "M5 9h14v10H5zM12 9V5M9.500 13v2M14.500 13v2M2.500 13v3M21.500 13v3M10 5h4",
  runs: "M6 4a2 2 0 1 0 0 4 2 2 0 0 0 0-4zM6 8v8M6 16a2 2 0 1 0 0 4 2 2 0 0 0 0-4zM11 6h9M11 12h6M11 18h9",
  desk: "M5 13v-1a7 7 0 0 1 14 0v1M5 13h3v5H6a1 1 0 0 1-1-1zM19 13h-3v5h2a1 1 0 0 0 1-1zM18 18c0 1.700-2 2.500-4.500 2.500",
  memory: "M7 4h10v16l-5-4-5 4z",
  judges: "M12 4v16M7 20h10M5 7h14M5 7l-3 7h6zM19 7l-3 7h6z",
  lake: "M3 8c3-2.500 6 2.500 9 0s6 2.500 9 0M3 13c3-2.500 6 2.500 9 0s6 2.500 9 0M3 18c3-2.500 6 2.500 9 0s6 2.500 9 0",
  insights: "M4 20V11M9.300 20V5M14.700 20v-6M20 20V8",
  review: "M3.500 12.500l3.500 3.500 6-7M13 17h8M15.500 11h5.500M4 5h17",
  key: "M14.500 4a5.500 5.500 0 1 0 0 11 5.500 5.500 0 0 0 0-11zM10.500 13.500L4 20v0h4v-3h3M15.500 8.500v0",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }): ReactNode {
  return (
    <svg
      className="icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.75}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}

export function Logo({ size = 26 }: { size?: number }): ReactNode {
  return (
    <svg className="logo" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <rect className="logo-ground" width="32" height="32" rx="7" />
      <path
        className="logo-spring"
        d="M16 16.400a1.600 1.600 0 1 1 1.700-1.500c0 2-1.600 3.400-3.500 3.300-2.400-.1-4-2-3.900-4.300.2-3 2.700-5 5.600-4.900 3.700.2 6.200 3.200 6 6.800-.3 4.300-3.800 7.200-8 6.900-2.500-.2-4.600-1.300-6-3"
        fill="none"
        strokeWidth="2"
        strokeLinecap="round"
      />
    </svg>
  );
}
