import type { About } from "../pages";

export const ABOUT: About = { place: 210, group: "Evaluate", letter: "e", title: "Datasets", icon: "columns", scope: "datasets" };
