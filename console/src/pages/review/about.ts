import type { About } from "../pages";

export const ABOUT: About = { place: 240, group: "Evaluate", letter: "v", title: "Review", icon: "review", scope: "review" };
