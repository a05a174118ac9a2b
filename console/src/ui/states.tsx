// What a page shows while there is nothing to show.
import type { ReactNode } from "react";
import type { ApiError } from "../api/client";
import type { Scope } from "../api/types";
import type { Resource } from "../lib/resource";
import { Button } from "./controls";
import { Icon, type IconName } from "./icon";
import { Worded } from "./worded";

export function Loading({ what = "Loading" }: { what?: string }): ReactNode {
  return (
    <div className="state" role="status">
      <span className="spinner" aria-hidden="true" />
      <p>{what} …</p>
    </div>
  );
}

interface EmptyProps {
  icon: IconName;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}

export function Empty({ icon, title, children, action }: EmptyProps): ReactNode {
  return (
    <div className="state">
      <span className="state-icon"><Icon name={icon} size={22} /></span>
      <h2>{title}</h2>
      {children && <p>{children}</p>}
      {action}
    </div>
  );
}

export function Failed({ error, again }: { error: ApiError; again?: () => void }): ReactNode {
  return (
    <div className="state" role="alert">
      <span className="state-icon bad"><Icon name="warning" size={22} /></span>
      <h2>{error.status === 404 ? "Not found" : "This did not work"}</h2>
      <p><Worded text={error.message} /></p>
      {error.traceId && <p className="muted small">Trace <code>{error.traceId}</code></p>}
      {again && <Button icon="refresh" onClick={again}>Try again</Button>}
    </div>
  );
}

export function Lacking({ scope, page }: { scope: Scope; page: string }): ReactNode {
  return (
    <>
      <h1 className="hidden">{page}</h1>
      <Empty icon="lock" title={`This key cannot open ${page}`}>
        It lacks the scope <code>{scope}</code>. Sign in with a key that has it, or make one:{" "}
        <code>mainspring keys create NAME --scope {scope}</code>
      </Empty>
    </>
  );
}

interface LoadedProps<T> {
  of: Resource<T>;
  what?: string;
  children: (data: T) => ReactNode;
}

// The three states of a resource; what was there stays while it is loaded again.
export function Loaded<T>({ of, what, children }: LoadedProps<T>): ReactNode {
  if (of.data !== undefined) {
    return (
      <>
        {of.error && <Note tone="bad">{of.error.message}</Note>}
        {children(of.data)}
      </>
    );
  }
  return of.error ? <Failed error={of.error} again={of.reload} /> : <Loading what={what} />;
}

export function Note({ tone = "plain", children }: { tone?: "plain" | "bad" | "warn" | "good"; children: ReactNode }): ReactNode {
  return (
    <div className={`note ${tone}`} role={tone === "bad" ? "alert" : undefined}>
      {tone !== "plain" && <Icon name={tone === "good" ? "check" : "warning"} size={16} />}
      <div>{typeof children === "string" ? <Worded text={children} /> : children}</div>
    </div>
  );
}
