import type { About } from "../pages";

export const ABOUT: About = { place: 10, title: "Chat", icon: "chat", scope: "chat" };
