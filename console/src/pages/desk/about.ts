import type { About } from "../pages";

export const ABOUT: About = { place: 72, title: "Support desk", icon: "desk", scope: "desk" };
