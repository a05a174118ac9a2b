// A page of a PDF as a picture, with the passage marked. It is drawn on a canvas: pictures from elsewhere are not loaded.
import { useEffect, useRef, useState, type ReactNode } from "react";
import { ApiError, send } from "../api/client";
import { Note } from "./states";

interface Shown {
  picture: ImageBitmap;
  pages: number;
  marks: number;
}

interface Props {
  // The address of the file's pages, without the number.
  pages: string;
  number: number;
  span: string;
  label: string;
}

export function PagePicture({ pages, number, span, label }: Props): ReactNode {
  const [shown, setShown] = useState<Shown>();
  const [problem, setProblem] = useState("");
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const stopping = new AbortController();
    const load = async (): Promise<void> => {
      const answer = await send(`${pages}/${number}?${span}`, { signal: stopping.signal });
      const picture = await createImageBitmap(await answer.blob());
      setShown({ picture, pages: Number(answer.headers.get("x-pages")), marks: Number(answer.headers.get("x-marks")) });
    };
    setShown(undefined);
    setProblem("");
    load().catch((error: unknown) => {
      if (!stopping.signal.aborted) setProblem(error instanceof ApiError ? error.message : "The page cannot be shown.");
    });
    return () => stopping.abort();
  }, [pages, number, span]);
  useEffect(() => {
    const at = canvas.current;
    if (!at || !shown) return;
    at.width = shown.picture.width;
    at.height = shown.picture.height;
    at.getContext("2d")?.drawImage(shown.picture, 0, 0);
  }, [shown]);
  if (problem) return <Note>{problem}</Note>;
  if (!shown) return <p className="waiting" role="status"><span className="spinner" aria-hidden="true" />Drawing the page …</p>;
  const where = `Page ${number} of ${shown.pages}`;
  return (
    <figure className="page-picture">
      <canvas ref={canvas} role="img" aria-label={`${where} of ${label}${shown.marks > 0 ? ", the passage marked" : ""}`} />
      <figcaption className="muted small">{where}{shown.marks === 0 && " · the passage is not marked: the page has no text, or its text differs"}</figcaption>
    </figure>
  );
}
