// The lake: what each step of a build took, what lies in it, and from a trace to its rows and back.
import type { ReactNode } from "react";
import { Tabbed, type View } from "../../ui/tabbed";
import { FunnelView } from "./funnel";
import { LineageView } from "./lineage";
import { ZonesView } from "./zones";

const VIEWS: View[] = [
  { name: "funnel", title: "Funnel", view: () => <FunnelView /> },
  { name: "zones", title: "Zones", view: () => <ZonesView /> },
  { name: "lineage", title: "Lineage", view: () => <LineageView /> },
];

export default function LakePage(): ReactNode {
  return <Tabbed page="lake" title="Lake" about="Recorded events as files, and the part of them that is ready for training." views={VIEWS} />;
}
