import type { About } from "../pages";

export const ABOUT: About = { place: 67, title: "Lake", icon: "lake", scope: "lake" };
