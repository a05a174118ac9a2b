import type { About } from "../pages";

export const ABOUT: About = { place: 10, group: "Ask", letter: "c", title: "Chat", icon: "chat", scope: "chat" };
