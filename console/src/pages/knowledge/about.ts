import type { About } from "../pages";

export const ABOUT: About = { place: 25, group: "Ask", letter: "k", title: "Knowledge", icon: "knowledge", scope: "chat" };
