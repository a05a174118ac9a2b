import type { About } from "../pages";

export const ABOUT: About = { place: 160, group: "Agents", letter: "n", title: "Content", icon: "file", scope: "chat" };
