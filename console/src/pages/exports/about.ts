import type { About } from "../pages";

export const ABOUT: About = { place: 320, group: "Data", letter: "u", title: "Exports", icon: "out", scope: "lake" };
