import type { About } from "../pages";

export const ABOUT: About = { place: 68, title: "Exports", icon: "out", scope: "lake" };
