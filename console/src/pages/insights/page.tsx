// Insights: what customers talk about, how that ends, what the documents lack, and the FAQ that follows.
import type { ReactNode } from "react";
import { usePlace } from "../../lib/route";
import { Tabbed, type View } from "../../ui/tabbed";
import { ConversationView } from "./conversation";
import { ConversationsView } from "./conversations";
import { FaqView } from "./faq";
import { GapsView } from "./gaps";
import { TopicsView } from "./topics";

const VIEWS: View[] = [
  { name: "topics", title: "Topics", view: () => <TopicsView /> },
  { name: "conversations", title: "Conversations", view: () => <ConversationsView /> },
  { name: "gaps", title: "Gaps", view: () => <GapsView /> },
  { name: "faq", title: "FAQ", view: () => <FaqView /> },
];

export default function InsightsPage(): ReactNode {
  const { rest } = usePlace();
  if (rest[0] === "conversations" && rest[1]) return <ConversationView key={rest[1]} id={rest[1]} />;
  return <Tabbed page="insights" title="Insights" about="Topics, sentiment and outcomes of conversations, and gaps in the documents." views={VIEWS} />;
}
