import type { About } from "../pages";

export const ABOUT: About = { place: 82, title: "Experiments", icon: "sliders", scope: "experiments" };
