import type { About } from "../pages";

export const ABOUT: About = { place: 410, group: "Operate", letter: "t", title: "Traces", icon: "traces", scope: "admin" };
