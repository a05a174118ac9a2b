import type { About } from "../pages";

export const ABOUT: About = { place: 90, title: "Settings", icon: "settings", scope: "admin" };
