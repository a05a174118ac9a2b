// A page of several views, each with an address of its own.
import { useEffect, useRef, type ReactNode } from "react";
import { Link, path, usePlace } from "../lib/route";

export interface View {
  name: string;
  title: string;
  view: () => ReactNode;
}

export function Tabbed({ page, title, about, views }: { page: string; title: string; about: string; views: View[] }): ReactNode {
  const { rest } = usePlace();
  const view = views.find((each) => each.name === rest[0]) ?? views[0]!;
  const tabs = useRef<HTMLElement>(null);
  useEffect(() => {
    // On a narrow screen the row is longer than the window.
    tabs.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [view]);
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <h1>{title}</h1>
          <p className="muted">{about}</p>
        </div>
      </header>
      <nav ref={tabs} className="tabs" aria-label={title}>
        {views.map((each) => (
          <Link key={each.name} to={path(page, each.name)} aria-current={each === view ? "page" : undefined}>{each.title}</Link>
        ))}
      </nav>
      {view.view()}
    </div>
  );
}
