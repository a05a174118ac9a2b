import type { About } from "../pages";

export const ABOUT: About = { place: 370, group: "Improve", letter: "2", title: "Advice", icon: "branch", scope: "advise" };
