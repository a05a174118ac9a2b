import type { About } from "../pages";

export const ABOUT: About = { place: 65, title: "Insights", icon: "insights", scope: "insights" };
