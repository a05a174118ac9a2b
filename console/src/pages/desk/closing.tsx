// How a case ends.
import { useState, type ReactNode } from "react";
import { ApiError } from "../../api/client";
import { act } from "../../api/desk";
import { Button, Field } from "../../ui/controls";
import { Dialog } from "../../ui/dialog";
import { Note } from "../../ui/states";

const WAYS = ["solved", "answered", "refused", "duplicate", "no answer from the customer"];

export function Closing({ number, onClose, onDone }: { number: string; onClose: () => void; onDone: () => void }): ReactNode {
  const [resolution, setResolution] = useState(WAYS[0]!);
  const [error, setError] = useState("");
  const close = async (): Promise<void> => {
    try {
      await act(number, "close", { resolution });
      onDone();
    } catch (failed) {
      setError(failed instanceof ApiError ? failed.message : "This did not work");
    }
  };
  return (
    <Dialog title={`Close ${number}`} subtitle="The agent answers the customer again." onClose={onClose} actions={<><Button onClick={onClose}>Cancel</Button><Button kind="primary" onClick={() => void close()}>Close the case</Button></>}>
      <Field label="How it ends">{(ids) => <select {...ids} value={resolution} onChange={(event) => setResolution(event.target.value)}>{WAYS.map((each) => <option key={each}>{each}</option>)}</select>}</Field>
      {error && <Note tone="bad">{error}</Note>}
    </Dialog>
  );
}
