import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app";
import { setTheme, theme } from "./lib/theme";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/chat.css";
import "./styles/pages.css";

setTheme(theme());
createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
