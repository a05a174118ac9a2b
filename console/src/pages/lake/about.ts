import type { About } from "../pages";

export const ABOUT: About = { place: 310, group: "Data", letter: "w", title: "Lake", icon: "lake", scope: "lake" };
