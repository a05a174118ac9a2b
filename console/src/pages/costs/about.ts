import type { About } from "../pages";

export const ABOUT: About = { place: 440, group: "Operate", letter: "o", title: "Costs", icon: "costs", scope: "admin" };
