import type { About } from "../pages";

export const ABOUT: About = { place: 460, group: "Operate", letter: "s", title: "Settings", icon: "settings", scope: "admin" };
