import type { About } from "../pages";

export const ABOUT: About = { place: 77, title: "Content", icon: "file", scope: "chat" };
