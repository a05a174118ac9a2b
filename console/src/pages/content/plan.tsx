// The plan of an article: approved as it is, edited, or denied.
import { useState, type ReactNode } from "react";
import { ApiError, post } from "../../api/client";
import { articleUrl, type KeptArticle, type Plan } from "../../api/content";
import { Button, IconButton } from "../../ui/controls";
import { Note } from "../../ui/states";
import { toast } from "../../ui/toast";

export function PlanCard({ kept, onChange }: { kept: KeptArticle; onChange: () => void }): ReactNode {
  const [plan, setPlan] = useState<Plan>(kept.plan!);
  const [busy, setBusy] = useState(false);
  const changed = JSON.stringify(plan) !== JSON.stringify(kept.plan);
  const put = (at: number, part: Partial<Plan["sections"][number]>): void =>
    setPlan({ ...plan, sections: plan.sections.map((each, place) => (place === at ? { ...each, ...part } : each)) });
  const decide = async (verb: "approve" | "deny"): Promise<void> => {
    setBusy(true);
    const body = verb === "approve" && changed ? { plan: { title: plan.title, sections: plan.sections.map(({ heading, questions }) => ({ heading, questions: questions.filter(Boolean) })) } } : {};
    try {
      await post(`${articleUrl(kept.id)}/${verb}`, body);
      toast(verb === "approve" ? "Approved: it is researched and written now" : "Denied: nothing is researched");
    } catch (error) {
      toast((error as ApiError).message);
    }
    setBusy(false);
    onChange();
  };
  return (
    <section className="stack" aria-label="Plan">
      <Note tone="warn">The plan waits for you. Change it here, then approve or deny it.</Note>
      <label className="stack">Title<input value={plan.title} maxLength={300} onChange={(event) => setPlan({ ...plan, title: event.target.value })} /></label>
      <ol className="stack" aria-label="Sections of the plan">
        {plan.sections.map((each, at) => (
          <li key={at} className="card stack">
            <div className="between">
              <input aria-label={`Heading of section ${at + 1}`} className="grows" value={each.heading} onChange={(event) => put(at, { heading: event.target.value })} />
              <IconButton icon="trash" label={`Remove section ${at + 1}`} disabled={plan.sections.length === 1} onClick={() => setPlan({ ...plan, sections: plan.sections.filter((_, place) => place !== at) })} />
            </div>
            <textarea aria-label={`Questions of section ${at + 1}`} rows={Math.max(2, each.questions.length)} value={each.questions.join("\n")} onChange={(event) => put(at, { questions: event.target.value.split("\n") })} />
          </li>
        ))}
      </ol>
      <div className="row wraps">
        <Button icon="plus" onClick={() => setPlan({ ...plan, sections: [...plan.sections, { heading: "", questions: [""] }] })}>Add a section</Button>
        <Button kind="primary" icon="check" disabled={busy || plan.sections.some((each) => !each.heading.trim() || !each.questions.some((one) => one.trim()))} onClick={() => void decide("approve")}>{changed ? "Approve as changed" : "Approve"}</Button>
        <Button kind="danger" disabled={busy} onClick={() => void decide("deny")}>Deny</Button>
      </div>
    </section>
  );
}
