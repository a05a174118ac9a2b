import type { About } from "../pages";

export const ABOUT: About = { place: 80, title: "Live", icon: "live", scope: "admin" };
