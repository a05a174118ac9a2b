import type { About } from "../pages";

export const ABOUT: About = { place: 250, group: "Evaluate", letter: "z", title: "Arena", icon: "columns", scope: "arena" };
