import type { About } from "../pages";

export const ABOUT: About = { place: 140, group: "Agents", letter: "m", title: "Memory", icon: "memory", scope: "chat" };
