import type { About } from "../pages";

export const ABOUT: About = { place: 20, group: "Ask", letter: "1", title: "Compose", icon: "edit", scope: "compose" };
