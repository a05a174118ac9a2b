import type { About } from "../pages";

export const ABOUT: About = { place: 420, group: "Operate", letter: "i", title: "Insights", icon: "insights", scope: "insights" };
