// Articles written from sources, and notebooks of chosen documents.
import type { ReactNode } from "react";
import { usePlace } from "../../lib/route";
import { Tabbed } from "../../ui/tabbed";
import { ArticleView } from "./article";
import { ArticleList } from "./articles";
import { NotebookView } from "./notebook";
import { NotebookList } from "./notebooks";

export default function ContentPage(): ReactNode {
  const { rest } = usePlace();
  const [view, id] = rest;
  if (view === "articles" && id) return <ArticleView key={id} id={id} />;
  if (view === "notebooks" && id) return <NotebookView key={id} id={id} />;
  return (
    <Tabbed
      page="content"
      title="Content"
      about="Articles from your documents and the web, with a citation for every sentence; and notebooks to study chosen documents."
      views={[
        { name: "articles", title: "Articles", view: () => <ArticleList /> },
        { name: "notebooks", title: "Notebooks", view: () => <NotebookList /> },
      ]}
    />
  );
}
