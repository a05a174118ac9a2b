import type { About } from "../pages";

export const ABOUT: About = { place: 150, group: "Agents", letter: "d", title: "Support desk", icon: "desk", scope: "desk" };
