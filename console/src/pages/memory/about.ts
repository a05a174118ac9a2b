import type { About } from "../pages";

export const ABOUT: About = { place: 76, title: "Memory", icon: "memory", scope: "chat" };
