import type { About } from "../pages";

export const ABOUT: About = { place: 110, group: "Agents", letter: "g", title: "Agents", icon: "agents", scope: "chat" };
