import type { About } from "../pages";

export const ABOUT: About = { place: 40, group: "Ask", letter: "h", title: "Translate", icon: "columns", scope: "translate" };
