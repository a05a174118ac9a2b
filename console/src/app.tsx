// Who is signed in, and the page that the address names.
import { lazy, Suspense, useCallback, useEffect, useState, type ReactNode } from "react";
import { ApiError, kept, may, onRefusal, whoAsks } from "./api/client";
import type { Me } from "./api/types";
import { leave, open } from "./lib/conversations";
import { fromOthers, onLeft } from "./lib/tabs";
import { go, path, usePlace } from "./lib/route";
import { Login } from "./pages/login";
import { PAGES } from "./pages/pages";
import { Shell } from "./shell";
import { Empty, Failed, Lacking, Loading } from "./ui/states";
import { Toaster } from "./ui/toast";
import { Session } from "./session";
import { Boundary } from "./ui/boundary";

const LAZY = new Map(PAGES.map((page) => [page.name, lazy(page.load)]));

type State = { me: Me } | { why: string } | { failed: ApiError } | "checking";

export function App(): ReactNode {
  const [state, setState] = useState<State>("checking");

  const check = useCallback((): void => {
    setState("checking");
    whoAsks(kept.get()).then(
      (me) => {
        open(me.key_id);
        setState({ me });
      },
      (error: ApiError) => {
        if (error.status !== 401) return setState({ failed: error });
        kept.clear();
        setState({ why: error.message });
      },
    );
  }, []);

  useEffect(() => {
    onRefusal((error) => {
      kept.clear();
      setState({ why: error.message });
    });
    onLeft(() => {
      leave();
      setState({ why: "" });
    });
    if (kept.get()) check();
    else void fromOthers().then((found) => (found ? check() : setState({ why: "" })));
  }, [check]);

  return (
    <>
      {state === "checking" ? (
        <main className="alone"><Loading what="Signing in" /></main>
      ) : "failed" in state ? (
        <main className="alone"><Failed error={state.failed} again={check} /></main>
      ) : "why" in state ? (
        <Login why={state.why} onKey={check} />
      ) : (
        <Session.Provider value={state.me}>
          <Shell me={state.me} onLeave={() => setState({ why: "" })}>
            <Page me={state.me} />
          </Shell>
        </Session.Provider>
      )}
      <Toaster />
    </>
  );
}

function Page({ me }: { me: Me }): ReactNode {
  const place = usePlace();
  const first = PAGES.find((page) => may(me, page.scope)) ?? PAGES[0]!;
  const page = place.page === "" ? first : PAGES.find((each) => each.name === place.page);
  useEffect(() => {
    if (place.page === "") go(path(first.name), true);
    document.title = page ? `${page.title} · mainspring` : "mainspring";
  }, [place.page, page, first.name]);
  if (!page) return <Empty icon="search" title="There is no such page">Choose one in the menu.</Empty>;
  if (!may(me, page.scope)) return <Lacking scope={page.scope} page={page.title} />;
  const Content = LAZY.get(page.name)!;
  return (
    <Suspense fallback={<Loading />}>
      <Boundary key={page.name}>
        <Content />
      </Boundary>
    </Suspense>
  );
}
