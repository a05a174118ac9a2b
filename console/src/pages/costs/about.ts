import type { About } from "../pages";

export const ABOUT: About = { place: 50, title: "Costs", icon: "costs", scope: "admin" };
