import type { About } from "../pages";

export const ABOUT: About = { place: 72, title: "Judges", icon: "judges", scope: "judges" };
