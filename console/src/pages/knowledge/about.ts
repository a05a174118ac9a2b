import type { About } from "../pages";

export const ABOUT: About = { place: 20, title: "Knowledge", icon: "knowledge", scope: "chat" };
