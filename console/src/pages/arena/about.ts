import type { About } from "../pages";

export const ABOUT: About = { place: 67, title: "Arena", icon: "columns", scope: "arena" };
