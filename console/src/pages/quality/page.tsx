// Quality and safety: what guards decided, what people said of answers, what is drifting, and what raised an alert.
import type { ReactNode } from "react";
import { Link, path, usePlace } from "../../lib/route";
import { FeedbackView } from "./feedback";
import { GuardsView } from "./guards";

const VIEWS: { name: string; title: string; view: () => ReactNode }[] = [
  { name: "guards", title: "Guards", view: () => <GuardsView /> },
  { name: "feedback", title: "Feedback", view: () => <FeedbackView /> },
];

export default function QualityPage(): ReactNode {
  const { rest } = usePlace();
  const view = VIEWS.find((each) => each.name === rest[0]) ?? VIEWS[0]!;
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <h1>Quality &amp; safety</h1>
          <p className="muted">What guards decided, what people said of answers, and whether anything is out of the ordinary.</p>
        </div>
      </header>
      <nav className="tabs" aria-label="Quality and safety">
        {VIEWS.map((each) => (
          <Link key={each.name} to={path("quality", each.name)} aria-current={each === view ? "page" : undefined}>{each.title}</Link>
        ))}
      </nav>
      {view.view()}
    </div>
  );
}
