import type { About } from "../pages";

export const ABOUT: About = { place: 30, title: "Prompts", icon: "prompts", scope: "prompts" };
