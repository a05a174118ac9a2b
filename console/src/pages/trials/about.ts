import type { About } from "../pages";

export const ABOUT: About = { place: 68, title: "Online experiments", icon: "sliders", scope: "trials" };
