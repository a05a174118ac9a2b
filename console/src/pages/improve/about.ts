import type { About } from "../pages";

export const ABOUT: About = { place: 360, group: "Improve", letter: "b", title: "Loop", icon: "again", scope: "improve" };
