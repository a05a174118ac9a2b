import type { About } from "../pages";

export const ABOUT: About = { place: 66, title: "Review", icon: "review", scope: "review" };
