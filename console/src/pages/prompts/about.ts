import type { About } from "../pages";

export const ABOUT: About = { place: 30, group: "Ask", letter: "p", title: "Prompts", icon: "prompts", scope: "prompts" };
