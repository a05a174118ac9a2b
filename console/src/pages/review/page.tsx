// Review: people label answers; who curates the queues sees what the labels say.
import type { ReactNode } from "react";
import "../../styles/review.css";
import { may } from "../../api/client";
import { useMe } from "../../session";
import { Tabbed, type View } from "../../ui/tabbed";
import { AgreementView } from "./agreement";
import { CalibrationView } from "./calibration";
import { ItemsView } from "./items";
import { QueuesView } from "./queues";
import { WorkView } from "./work";

const WORK: View = { name: "work", title: "Label", view: () => <WorkView /> };
const CURATE: View[] = [
  { name: "queues", title: "Queues", view: () => <QueuesView /> },
  { name: "items", title: "Items", view: () => <ItemsView /> },
  { name: "agreement", title: "Agreement", view: () => <AgreementView /> },
  { name: "calibration", title: "Calibration", view: () => <CalibrationView /> },
];

export default function ReviewPage(): ReactNode {
  const views = may(useMe(), "curate") ? [WORK, ...CURATE] : [WORK];
  return <Tabbed page="review" title="Review" about="Answers for people to label, agreement of reviewers, and calibration of scores." views={views} />;
}
