// One document: the chunks that it was cut into, in the order of its text.
import { useEffect, useState, type ReactNode } from "react";
import { get } from "../../api/client";
import type { Chunk, ChunkPage } from "../../api/types";
import { count, plural } from "../../lib/format";
import { useResource } from "../../lib/resource";
import { Link, path } from "../../lib/route";
import { Badge, Button } from "../../ui/controls";
import { Icon } from "../../ui/icon";
import { PassageDrawer } from "../../ui/passage";
import { Empty, Loaded } from "../../ui/states";

const PAGE = 50;

export function DocumentView({ store, file }: { store: string; file: string }): ReactNode {
  const url = `/v1/vector_stores/${encodeURIComponent(store)}/files/${encodeURIComponent(file)}/chunks?limit=${PAGE}`;
  const first = useResource(url, (signal) => get<ChunkPage>(url, signal));
  const [more, setMore] = useState<Chunk[]>([]);
  const [open, setOpen] = useState<Chunk>();
  useEffect(() => setMore([]), [first.data]);
  return (
    <div className="page">
      <Loaded of={first} what="Opening the document">
        {(page) => {
          const chunks = [...page.data, ...more];
          const load = async (): Promise<void> => {
            const next = await get<ChunkPage>(`${url}&offset=${chunks.length}`);
            setMore((all) => [...all, ...next.data]);
          };
          return (
            <>
              <header className="page-head">
                <div>
                  <Link to={path("knowledge", store)} className="back"><Icon name="left" size={15} />Documents</Link>
                  <h1>{page.filename}</h1>
                  <p className="muted">Cut into {plural(page.total, "chunk")}, each searched and cited on its own.</p>
                </div>
              </header>
              {chunks.length === 0 && <Empty icon="file" title="This document has no text" />}
              <ol className="stack">
                {chunks.map((chunk) => (
                  <li key={chunk.id} className="card chunk">
                    <div className="chunk-head">
                      <Badge tone="accent">{chunk.index + 1}</Badge>
                      {chunk.heading && <strong>{chunk.heading}</strong>}
                      {chunk.page !== null && <span>page {chunk.page}</span>}
                      <span>characters {count(chunk.start)} to {count(chunk.end)}</span>
                      {index(chunks, chunk) > 0 && chunk.start < chunks[index(chunks, chunk) - 1]!.end && (
                        <span>repeats {plural(chunks[index(chunks, chunk) - 1]!.end - chunk.start, "character")} of the one before</span>
                      )}
                      <Button kind="quiet" onClick={() => setOpen(chunk)}>In the document</Button>
                    </div>
                    <p className="chunk-text">{chunk.text}</p>
                  </li>
                ))}
              </ol>
              {chunks.length < page.total && <div className="row centre"><Button onClick={() => void load()}>More chunks ({count(page.total - chunks.length)} left)</Button></div>}
              {open && (
                <PassageDrawer
                  citation={{ ...open, source: page.filename, vector_store_id: store, file_id: file, document_id: file }}
                  onClose={() => setOpen(undefined)}
                />
              )}
            </>
          );
        }}
      </Loaded>
    </div>
  );
}

function index(chunks: Chunk[], chunk: Chunk): number {
  return chunk.index - chunks[0]!.index;
}
