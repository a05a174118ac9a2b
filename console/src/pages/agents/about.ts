import type { About } from "../pages";

export const ABOUT: About = { place: 72, title: "Agents", icon: "agents", scope: "chat" };
