import type { About } from "../pages";

export const ABOUT: About = { place: 130, group: "Agents", letter: "a", title: "Approvals", icon: "check", scope: "approve" };
