import type { About } from "../pages";

export const ABOUT: About = { place: 120, group: "Agents", letter: "r", title: "Runs", icon: "runs", scope: "chat" };
