// Pausing, resuming, cancelling, forking and replaying a run.
import { useState, type ReactNode } from "react";
import { ApiError, post, remove, sentence } from "../../api/client";
import { OVER, runUrl, type Replayed, type Run, type RunStep } from "../../api/runs";
import { plural } from "../../lib/format";
import { go, path } from "../../lib/route";
import { Button } from "../../ui/controls";
import { Confirm, Dialog } from "../../ui/dialog";
import { Note } from "../../ui/states";
import { toast } from "../../ui/toast";

const PAUSABLE = ["queued", "running", "waiting", "interrupted"];
const DELETABLE = [...OVER, "paused", "interrupted"];
const RESUMABLE = ["paused", "interrupted", "failed"];

export async function forkAfter(run: Run, after: number): Promise<void> {
  try {
    const made = await post<Run>(`${runUrl(run.id)}/fork`, { after });
    toast("Another run has begun");
    go(path("runs", made.id));
  } catch (error) {
    toast((error as ApiError).message);
  }
}

export function Actions({ run, steps, onChange }: { run: Run; steps: RunStep[]; onChange: () => void }): ReactNode {
  const [cancelling, setCancelling] = useState(false);
  const [deleting, setDeleting] = useState(false);
  const [replayed, setReplayed] = useState<Replayed>();
  const [busy, setBusy] = useState(false);
  const steer = async (verb: "pause" | "resume" | "cancel", done: string): Promise<void> => {
    setBusy(true);
    try {
      await post(`${runUrl(run.id)}/${verb}`, {});
      toast(done);
    } catch (error) {
      toast((error as ApiError).message);
    }
    setBusy(false);
    setCancelling(false);
    onChange();
  };
  const drop = async (): Promise<void> => {
    setBusy(true);
    try {
      await remove(runUrl(run.id));
      toast("The run is deleted");
      go(path("runs"));
    } catch (error) {
      toast((error as ApiError).message);
      setBusy(false);
      setDeleting(false);
    }
  };
  const replay = async (): Promise<void> => {
    setBusy(true);
    try {
      setReplayed(await post<Replayed>(`${runUrl(run.id)}/replay`, {}));
    } catch (error) {
      toast((error as ApiError).message);
    }
    setBusy(false);
  };
  return (
    <div className="row wraps">
      {PAUSABLE.includes(run.status) && <Button icon="pause" disabled={busy} onClick={() => void steer("pause", "It stops before its next step")}>Pause</Button>}
      {RESUMABLE.includes(run.status) && <Button icon="play" kind="primary" disabled={busy} onClick={() => void steer("resume", "It goes on")}>Resume</Button>}
      {OVER.includes(run.status) && steps.length > 0 && <Button icon="again" disabled={busy} onClick={() => void replay()}>Replay</Button>}
      {!OVER.includes(run.status) && <Button kind="danger" disabled={busy} onClick={() => setCancelling(true)}>Cancel run</Button>}
      {DELETABLE.includes(run.status) && <Button icon="trash" disabled={busy} onClick={() => setDeleting(true)}>Delete run</Button>}
      {deleting && (
        <Confirm title="Delete this run?" verb="Delete run" busy={busy} onYes={() => void drop()} onClose={() => setDeleting(false)}>
          <p>It is deleted with its steps, and cannot be replayed or forked any more. Its effects stay, and its cost stays in the ledger.</p>
        </Confirm>
      )}
      {cancelling && (
        <Confirm title="Cancel this run?" verb="Cancel run" busy={busy} onYes={() => void steer("cancel", "It stops for good")} onClose={() => setCancelling(false)}>
          <p>It stops for good. A running call ends first. Its effects stay, and it can be forked later.</p>
        </Confirm>
      )}
      {replayed && <ReplayOutcome run={run} replayed={replayed} onClose={() => setReplayed(undefined)} />}
    </div>
  );
}

function ReplayOutcome({ run, replayed, onClose }: { run: Run; replayed: Replayed; onClose: () => void }): ReactNode {
  const differs = replayed.output_text !== (run.output_text ?? "");
  return (
    <Dialog title="Replayed from the records" subtitle="No model and no tool was called." onClose={onClose} wide actions={<Button onClick={onClose}>Close</Button>}>
      {replayed.identical ? (
        <Note tone="good">Identical: {plural(replayed.steps, "step")}, and the same answer byte for byte.</Note>
      ) : (
        <Note tone="warn">
          {replayed.recorded_sha256 === null ? `This run has no answer to compare with. It was played for ${plural(replayed.steps, "step")}.` : `It differs from the record after ${plural(replayed.steps, "step")}.`}
        </Note>
      )}
      {replayed.error && <Note tone="bad">{sentence(replayed.error.message)}</Note>}
      {replayed.unreached_steps.length > 0 && <p>Recorded steps that it did not come to: {replayed.unreached_steps.map((each) => <code key={each}>{each} </code>)}</p>}
      {differs && (
        <div className="sides">
          <section aria-label="Recorded"><h3>Recorded</h3><pre className="wrapped" tabIndex={0} aria-label="Recorded answer">{run.output_text || "–"}</pre></section>
          <section aria-label="Replayed"><h3>Replayed</h3><pre className="wrapped" tabIndex={0} aria-label="Replayed answer">{replayed.output_text || "–"}</pre></section>
        </div>
      )}
    </Dialog>
  );
}
