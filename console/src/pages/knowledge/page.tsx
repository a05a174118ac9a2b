// Knowledge: collections, what is in them, and how they are searched.
import type { ReactNode } from "react";
import { usePlace } from "../../lib/route";
import { CollectionView } from "./collection";
import { Collections } from "./collections";
import { DocumentView } from "./document";

export default function KnowledgePage(): ReactNode {
  const { rest } = usePlace();
  const [store, file] = rest;
  if (store && file) return <DocumentView key={`${store}/${file}`} store={store} file={file} />;
  return store ? <CollectionView key={store} id={store} /> : <Collections />;
}
