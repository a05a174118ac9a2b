// Chat: ask models, applications and collections, one or two side by side.
import { useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { ApiError, get, may } from "../../api/client";
import type { Coming, List, Model, Models, Preset } from "../../api/types";
import { ANSWERS, NO_FILES, pending } from "../../lib/attached";
import { attach, leaveStore, resume } from "../../lib/attachments";
import * as conversations from "../../lib/conversations";
import type { Conversation } from "../../lib/conversations";
import { useResource } from "../../lib/resource";
import { go, path, usePlace } from "../../lib/route";
import { path as turnsOf, ROOT } from "../../lib/tree";
import { useMe } from "../../session";
import { IconButton } from "../../ui/controls";
import { Empty, Failed, Loading, Note } from "../../ui/states";
import { AttachDialog, AttachedRow } from "./attach";
import { ComingModels } from "./coming";
import { Composer } from "./composer";
import { History } from "./history";
import { ParametersPanel } from "./parameters";
import { ModelPicker } from "./picker";
import { Thread } from "./thread";

const LAST = "mainspring.model";
const ASSISTANT = "assistant";
const ANSWERING = new Set(["chat", "application", "collection"]);

export default function ChatPage(): ReactNode {
  const models = useResource("models", (signal) => get<Models>("/v1/models", signal));
  const waiting = (models.data?.coming ?? []).some((model) => model.state !== "served" && model.state !== "failed");
  useEffect(() => {
    if (!waiting) return undefined;
    const timer = setTimeout(models.reload, 3000);
    return () => clearTimeout(timer);
  }, [waiting, models]);
  const presets = useResource("presets", (signal) => get<List<Preset>>("/v1/presets", signal));
  if (models.error && !models.data) return <Failed error={models.error} again={models.reload} />;
  if (!models.data) return <Loading what="Looking for models" />;
  const answering = models.data.data.filter((model) => ANSWERING.has(model.kind));
  if (answering.length === 0) {
    return (
      <Empty icon="chat" title="There is no model or collection yet">
        {models.data.coming?.length ? <ComingModels coming={models.data.coming} /> : <>Configure a chat model, or fill a collection: <code>mainspring ingest NAME FOLDER</code></>}
      </Empty>
    );
  }
  return <Chat models={answering} coming={models.data.coming ?? []} presets={presets.data?.data ?? []} />;
}

function preferred(models: Model[]): string {
  const names = models.map((model) => model.id);
  const last = localStorage.getItem(LAST);
  if (last && names.includes(last)) return last;
  const collection = models.some((model) => model.kind === "collection");
  if (collection && names.includes(ANSWERS)) return ANSWERS;
  // Without documents: what refuses politely, and knows the date and sums.
  return names.includes(ASSISTANT) ? ASSISTANT : names[0]!;
}

// Another page may name what is to be asked.
function asked(models: Model[], name: string | null): string | undefined {
  return models.find((model) => model.id === name)?.id;
}

function Chat({ models, coming, presets }: { models: Model[]; coming: Coming[]; presets: Preset[] }): ReactNode {
  const all = conversations.useConversations();
  const ready = conversations.useReady();
  const place = usePlace();
  const [draft, setDraft] = useState<Conversation>(() => conversations.make([asked(models, place.query.get("ask")) ?? preferred(models)]));
  const [settings, setSettings] = useState(false);
  const [history, setHistory] = useState(false);
  const [attaching, setAttaching] = useState(false);
  const fills = may(useMe(), "ingest");
  const composer = useRef<HTMLTextAreaElement>(null);
  const kept = all.find((each) => each.id === place.rest[0]);
  const current = kept ?? draft;

  useEffect(() => {
    // A conversation that is not here any more leaves a page for a new one.
    if (place.rest[0] && !kept && ready) go(path("chat"), true);
  }, [place.rest, kept, ready]);
  const opening = Boolean(kept?.kept && !kept.loaded);
  const [failed, setFailed] = useState("");
  useEffect(() => {
    setFailed("");
    if (opening) conversations.load(current.id).catch((error: unknown) => setFailed(error instanceof ApiError ? error.message : "The conversation could not be read."));
  }, [current.id, opening]);
  useEffect(() => {
    composer.current?.focus();
    resume(current.id);
  }, [current.id]);
  useEffect(() => {
    const focus = (event: KeyboardEvent): void => {
      const typing = event.target instanceof Element && event.target.closest("input, textarea, select, dialog");
      if (event.key === "/" && !typing) {
        event.preventDefault();
        composer.current?.focus();
      }
    };
    addEventListener("keydown", focus);
    return () => removeEventListener("keydown", focus);
  }, []);

  const change = (by: (conversation: Conversation) => Conversation): void => {
    if (kept) conversations.update(kept.id, by);
    else setDraft(by);
  };
  const begin = (): void => {
    setDraft(conversations.make(current.panes.map((pane) => pane.model), current.set));
    setHistory(false);
    go(path("chat"));
    composer.current?.focus();
  };
  const pick = (index: number, model: string): void => {
    localStorage.setItem(LAST, model);
    change((each) => ({ ...each, panes: each.panes.map((pane, at) => (at === index ? { ...pane, model } : pane)) }));
  };
  const compare = (): void => {
    change((each) => {
      if (each.panes.length > 1) return { ...each, panes: each.panes.slice(0, 1) };
      const first = each.panes[0]!;
      const other = models.find((model) => model.id !== first.model)?.id ?? first.model;
      return { ...each, panes: [first, { model: other, turns: {}, shown: {} }] };
    });
  };
  const keep = (): void => {
    if (kept) return;
    conversations.put(current);
    setDraft(conversations.make(current.panes.map((pane) => pane.model), current.set));
    go(path("chat", current.id));
  };
  const send = (files: File[], into?: { id: string; name: string }): void => {
    setAttaching(false);
    keep();
    // What is attached is answered from: by document-qa, and in the first of two columns.
    const answers = models.some((model) => model.id === ANSWERS) ? ANSWERS : into?.name;
    if (answers) conversations.updatePane(current.id, 0, (pane) => ({ ...pane, model: answers }));
    void attach(current.id, files, into ?? current.attached?.store);
    composer.current?.focus();
  };
  const say = (text: string): void => {
    keep();
    conversations.say(current.id, text, current.panes.map((pane) => turnsOf(pane).at(-1)?.id ?? ROOT));
  };
  const busy = useMemo(
    () =>
      current.panes
        .map((pane) => turnsOf(pane).at(-1))
        .filter((turn) => turn?.answer?.status === "waiting" || turn?.answer?.status === "writing")
        .map((turn) => turn!.id),
    [current],
  );
  const stop = (): void => busy.forEach(conversations.stop);
  const attached = current.attached ?? NO_FILES;

  return (
    <div className={`chat ${history ? "history-open" : ""} ${current.panes.length > 1 ? "comparing" : ""}`}>
      <History current={kept?.id} all={all} onNew={begin} onClose={() => setHistory(false)} />
      <section className="chat-main" aria-label="Conversation">
        <h1 className="hidden">Chat</h1>
        <header className="chat-bar">
          <IconButton className="only-narrow" icon="history" label="Conversations" aria-expanded={history} onClick={() => setHistory(!history)} />
          {current.panes.map((pane, index) => (
            <ModelPicker
              key={index}
              models={models}
              value={pane.model}
              label={current.panes.length > 1 ? `Model ${index + 1}` : "Model"}
              onChange={(model) => pick(index, model)}
            />
          ))}
          <div className="chat-tools">
            <IconButton icon="columns" label={current.panes.length > 1 ? "Stop comparing" : "Compare two models"} active={current.panes.length > 1} onClick={compare} />
            <IconButton icon="sliders" label="Parameters" active={settings} aria-expanded={settings} onClick={() => setSettings(!settings)} />
            <IconButton className="only-narrow" icon="plus" label="New conversation" onClick={begin} />
          </div>
        </header>
        <ComingModels coming={coming} />
        {settings && <ParametersPanel value={current.set} presets={presets} onChange={(set) => change((each) => ({ ...each, set }))} />}
        <div className="panes">
          {opening && (failed ? <div className="pane"><Note tone="bad">{failed}</Note></div> : <Loading what="Opening the conversation" />)}
          {!opening && current.panes.map((pane, index) => (
            <Thread key={`${current.id}:${index}`} conversation={current} pane={pane} index={index} models={models} onExample={say} />
          ))}
        </div>
        <Composer
          input={composer}
          busy={busy.length > 0}
          waiting={opening ? "The conversation is being opened." : pending(attached) ? "The question can be sent when the files are read." : ""}
          onAttach={fills ? () => setAttaching(true) : undefined}
          onFiles={fills ? (files) => send(files) : undefined}
          onSay={say}
          onStop={stop}
        >
          <AttachedRow conversation={current.id} attached={attached} onLeave={() => leaveStore(current.id)} />
        </Composer>
        {attaching && <AttachDialog attached={attached} onFiles={send} onClose={() => setAttaching(false)} />}
      </section>
    </div>
  );
}
