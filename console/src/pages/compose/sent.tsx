// What models of the tenant may learn from: a mail as it was sent, with consent from its beginning on.
import { useState, type ReactNode } from "react";
import { ApiError, post } from "../../api/client";
import { Button } from "../../ui/controls";
import { toast } from "../../ui/toast";

interface Props {
  mail: { text: string; subject: string; to: string; session_id: string };
  // The latest answer that was asked for with consent; empty: there is none yet.
  answer: string;
  consent: boolean;
  onConsent: (consent: boolean) => void;
}

export function Sent({ mail, answer, consent, onConsent }: Props): ReactNode {
  const [told, setTold] = useState("");
  const send = async (): Promise<void> => {
    try {
      await post(`/v1/compose/${answer}/sent`, { ...mail, consent: true });
      setTold(mail.text);
      toast("Thank you: models may learn from this mail");
    } catch (error) {
      toast(error instanceof ApiError ? error.message : "It was not recorded.");
    }
  };
  return (
    <div className="stack" role="group" aria-label="To improve the model">
      <label className="check"><input type="checkbox" checked={consent} onChange={(event) => onConsent(event.target.checked)} /><span>This mail may be used to improve the model for everybody here. It is kept once you say that it was sent, without personal data.</span></label>
      {consent && (
        <p className="row wraps">
          <Button icon="send" disabled={!mail.text.trim() || !answer || told === mail.text} onClick={() => void send()}>{told && told === mail.text ? "Recorded" : "I have sent this mail"}</Button>
          {!answer && <span className="muted small">Write on: a suggestion must have been asked for first.</span>}
        </p>
      )}
    </div>
  );
}
