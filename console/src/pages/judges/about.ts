import type { About } from "../pages";

export const ABOUT: About = { place: 230, group: "Evaluate", letter: "j", title: "Judges", icon: "judges", scope: "judges" };
