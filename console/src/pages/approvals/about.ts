import type { About } from "../pages";

export const ABOUT: About = { place: 70, title: "Approvals", icon: "check", scope: "approve" };
