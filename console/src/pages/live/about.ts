import type { About } from "../pages";

export const ABOUT: About = { place: 450, group: "Operate", letter: "l", title: "Live", icon: "live", scope: "admin" };
