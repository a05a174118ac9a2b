import type { About } from "../pages";

export const ABOUT: About = { place: 430, group: "Operate", letter: "q", title: "Quality & safety", icon: "shield", scope: "admin" };
