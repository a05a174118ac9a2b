import type { About } from "../pages";

export const ABOUT: About = { place: 260, group: "Evaluate", letter: "y", title: "Online experiments", icon: "sliders", scope: "trials" };
