import type { About } from "../pages";

export const ABOUT: About = { place: 220, group: "Evaluate", letter: "x", title: "Experiments", icon: "sliders", scope: "experiments" };
