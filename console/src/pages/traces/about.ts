import type { About } from "../pages";

export const ABOUT: About = { place: 40, title: "Traces", icon: "traces", scope: "admin" };
