// What stands around every page: the navigation, who is signed in, the theme.
import { Fragment, useEffect, useRef, useState, type ReactNode } from "react";
import { may } from "./api/client";
import type { Me } from "./api/types";
import { forgetAll, leave } from "./lib/conversations";
import { go, Link, path, usePlace } from "./lib/route";
import { leaveAll } from "./lib/tabs";
import { setTheme, theme, type Theme } from "./lib/theme";
import { PAGES } from "./pages/pages";
import { Choice, IconButton } from "./ui/controls";
import { Confirm } from "./ui/dialog";
import { Icon, Logo } from "./ui/icon";
import { Shortcuts } from "./ui/shortcuts";

export function Shell({ me, onLeave, children }: { me: Me; onLeave: () => void; children: ReactNode }): ReactNode {
  const place = usePlace();
  const [open, setOpen] = useState(false);
  const [leaving, setLeaving] = useState(false);
  const main = useRef<HTMLElement>(null);
  const opened = useRef("");
  useEffect(() => {
    setOpen(false);
    // Whoever reads by ear is told that the page is another one.
    if (opened.current && opened.current !== place.page) main.current?.focus();
    opened.current = place.page;
    document.querySelector(".sidebar [aria-current]")?.scrollIntoView?.({ block: "nearest" });
  }, [place.page]);
  useEffect(() => {
    const close = (event: KeyboardEvent): void => {
      if (event.key === "Escape") setOpen(false);
    };
    addEventListener("keydown", close);
    return () => removeEventListener("keydown", close);
  }, []);

  const out = async (forgetting: boolean): Promise<void> => {
    // With the key, which goes next.
    if (forgetting) await forgetAll();
    leaveAll();
    leave();
    go(path(), true);
    onLeave();
  };
  return (
    <div className={`shell ${open ? "nav-open" : ""}`}>
      <a className="skip" href="#main">Skip to the page</a>
      <header className="topbar">
        <IconButton icon="menu" size={20} label="Menu" aria-expanded={open} onClick={() => setOpen(!open)} />
        <Logo size={22} />
        <strong>{PAGES.find((page) => page.name === place.page)?.title ?? "mainspring"}</strong>
      </header>
      <div className="scrim" onClick={() => setOpen(false)} aria-hidden="true" />
      <aside className="sidebar">
        <Link to={path()} className="brand">
          <Logo />
          <span>mainspring</span>
        </Link>
        <nav aria-label="Pages">
          {PAGES.map((page, number) => (
            <Fragment key={page.name}>
              {page.group !== PAGES[number - 1]?.group && <span className="nav-group">{page.group}</span>}
              <Link
                to={path(page.name)}
                className={may(me, page.scope) ? "" : "lacking"}
                aria-current={page.name === place.page ? "page" : undefined}
                onClick={() => setOpen(false)}
              >
                <Icon name={page.icon} />
                <span>{page.title}</span>
                {!may(me, page.scope) && <span className="lacking-mark" title={`needs the scope ${page.scope}`}><Icon name="lock" size={13} /></span>}
              </Link>
            </Fragment>
          ))}
        </nav>
        <div className="whoami">
          <ThemeChoice />
          <div className="who">
            <div>
              <strong>{me.key_name || me.key_id}</strong>
              <span className="muted small">
                {me.tenant} · {me.scopes.includes("admin") ? "admin" : me.scopes.join(", ")}
              </span>
            </div>
            <IconButton icon="out" label="Sign out" onClick={() => setLeaving(true)} />
          </div>
        </div>
      </aside>
      {leaving && <SignOut onYes={out} onClose={() => setLeaving(false)} />}
      <Shortcuts me={me} pages={PAGES} />
      <main id="main" ref={main} tabIndex={-1}>{children}</main>
    </div>
  );
}

function SignOut({ onYes, onClose }: { onYes: (forgetting: boolean) => void; onClose: () => void }): ReactNode {
  const [forgetting, setForgetting] = useState(false);
  return (
    <Confirm title="Sign out?" verb="Sign out" onYes={() => onYes(forgetting)} onClose={onClose}>
      <p>All tabs of this browser are signed out. Your conversations stay on the server and are there again when you sign in with the same key.</p>
      <label className="check">
        <input type="checkbox" checked={forgetting} onChange={(event) => setForgetting(event.target.checked)} />
        <span>Delete them, here and on the server</span>
      </label>
    </Confirm>
  );
}

function ThemeChoice(): ReactNode {
  const [chosen, setChosen] = useState<Theme>(theme());
  return (
    <Choice
      label="Theme"
      value={chosen}
      options={[
        { value: "light", label: "Light" },
        { value: "dark", label: "Dark" },
        { value: "system", label: "System" },
      ]}
      onChange={(value) => {
        setTheme(value);
        setChosen(value);
      }}
    />
  );
}
