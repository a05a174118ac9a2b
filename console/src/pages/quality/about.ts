import type { About } from "../pages";

export const ABOUT: About = { place: 60, title: "Quality & safety", icon: "shield", scope: "admin" };
