import type { About } from "../pages";

export const ABOUT: About = { place: 81, title: "Datasets", icon: "columns", scope: "datasets" };
