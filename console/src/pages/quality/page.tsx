// Quality and safety: what guards decided, what people said of answers, what is drifting, and what raised an alert.
import type { ReactNode } from "react";
import { Tabbed, type View } from "../../ui/tabbed";
import { AlertsView } from "./alerts";
import { DriftView } from "./drift";
import { FeedbackView } from "./feedback";
import { GuardsView } from "./guards";
import { ObjectivesView } from "./objectives";
import { OverviewView } from "./overview";

const VIEWS: View[] = [
  { name: "overview", title: "Overview", view: () => <OverviewView /> },
  { name: "guards", title: "Guards", view: () => <GuardsView /> },
  { name: "feedback", title: "Feedback", view: () => <FeedbackView /> },
  { name: "alerts", title: "Alerts", view: () => <AlertsView /> },
  { name: "drift", title: "Drift", view: () => <DriftView /> },
  { name: "objectives", title: "Objectives", view: () => <ObjectivesView /> },
];

export default function QualityPage(): ReactNode {
  return (
    <Tabbed
      page="quality"
      title="Quality & safety"
      about="Outcomes of requests, decisions of guards, feedback from people, and alerts."
      views={VIEWS}
    />
  );
}
