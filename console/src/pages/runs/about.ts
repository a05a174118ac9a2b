import type { About } from "../pages";

export const ABOUT: About = { place: 74, title: "Runs", icon: "runs", scope: "chat" };
