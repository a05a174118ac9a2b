import type { About } from "../pages";

export const ABOUT: About = { place: 350, group: "Improve", letter: "f", title: "Training", icon: "columns", scope: "train" };
