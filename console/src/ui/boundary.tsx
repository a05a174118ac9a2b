// A page that fails says so, and leaves the rest of the console as it was.
import { Component, type ReactNode } from "react";
import { Button } from "./controls";
import { Empty } from "./states";

export class Boundary extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ReactNode {
    if (!this.state.failed) return this.props.children;
    return (
      <div role="alert">
        <Empty icon="warning" title="This page has failed" action={<Button icon="refresh" onClick={() => location.reload()}>Load it again</Button>}>
          This is an error in the console; the server is not affected. See the browser's log.
        </Empty>
      </div>
    );
  }
}
