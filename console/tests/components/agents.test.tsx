// @vitest-environment jsdom
import { fireEvent, screen, waitFor } from "@testing-library/react";
import { describe, expect, it } from "vitest";
import { lineOf, problem } from "../../src/lib/json_place";
import { AgentView } from "../../src/pages/agents/agent";
import { AgentList } from "../../src/pages/agents/list";
import { ADMIN, calls, serve, show } from "./bench";

const AGENT = { id: "greeter", source: "api", version: 2, description: "Greets.", definition: { name: "greeter", instruction: "Greet.", tools: ["memory"] }, note: "", created_by: "key_1", created_at: 1 };
const CHATS = { ...ADMIN, scopes: ["chat"] };
const wrong = (param: string, message: string): Response => new Response(JSON.stringify({ error: { message, code: "invalid_request", param } }), { status: 400 });
const posts = (): unknown[] => calls.filter((call) => call.method === "POST");

describe("an agent", () => {
  it("is saved as a version after the one that was read", async () => {
    serve({ "GET /v1/agents/greeter": AGENT, "GET /v1/models": { data: [{ id: "m", kind: "chat" }] }, "POST /v1/agents/greeter": { ...AGENT, version: 3 } });
    show(<AgentView name="greeter" />);
    fireEvent.change(await screen.findByLabelText("Instruction"), { target: { value: "Greet warmly." } });
    fireEvent.change(screen.getByLabelText("Tools"), { target: { value: 'memory\n{"collection": {"collection": "handbook"}}' } });
    fireEvent.click(screen.getByText("Save version"));
    await waitFor(() => expect(posts()).toEqual([expect.objectContaining({
      ifMatch: '"2"',
      body: { definition: { name: "greeter", instruction: "Greet warmly.", tools: ["memory", { collection: { collection: "handbook" } }] }, note: "" },
    })]));
  });

  it("shows what is wrong at its field, and as JSON at its line", async () => {
    serve({ "GET /v1/agents/greeter": AGENT, "GET /v1/models": { data: [] }, "POST /v1/agents/greeter": () => wrong("tools.0", "tools.0: there is no toolset") });
    show(<AgentView name="greeter" />);
    fireEvent.click(await screen.findByText("Save version"));
    const told = await screen.findByText("Tools.0: there is no toolset.");
    expect(screen.getByLabelText("Tools").getAttribute("aria-describedby")).toBe(told.id);
    fireEvent.click(screen.getByText("JSON"));
    fireEvent.click(screen.getByText("Show line 5"));
    const area = screen.getByRole<HTMLTextAreaElement>("textbox", { name: "Definition" });
    expect(area.value.slice(area.selectionStart, area.selectionEnd)).toBe('    "memory"');
  });

  it("is not saved while its text is no JSON", async () => {
    serve({ "GET /v1/agents/greeter": AGENT, "GET /v1/models": { data: [] } });
    show(<AgentView name="greeter" />);
    fireEvent.click(await screen.findByText("JSON"));
    fireEvent.change(screen.getByRole("textbox", { name: "Definition" }), { target: { value: "{" } });
    await screen.findByText(/This is not JSON/);
    expect(screen.getByText("Save version").closest("button")!.disabled).toBe(true);
  });

  it("is changed as YAML, and not saved while that cannot be read", async () => {
    serve({ "GET /v1/agents/greeter": AGENT, "GET /v1/models": { data: [] }, "POST /v1/agents/greeter": { ...AGENT, version: 3 } });
    show(<AgentView name="greeter" />);
    fireEvent.click(await screen.findByText("YAML"));
    const area = screen.getByRole<HTMLTextAreaElement>("textbox", { name: "Definition" });
    expect(area.value).toBe("name: greeter\ninstruction: Greet.\ntools:\n  - memory\n");
    fireEvent.change(area, { target: { value: "name: greeter\ninstruction: [" } });
    await screen.findByText(/This is not YAML: .*in line \d/);
    expect(screen.getByText("Save version").closest("button")!.disabled).toBe(true);
    fireEvent.change(area, { target: { value: "- greeter" } });
    await screen.findByText(/A definition has fields/);
    fireEvent.change(area, { target: { value: "name: greeter\ninstruction: |\n  Greet warmly.\n  Be brief.\nlimits: {steps: 3}\n" } });
    fireEvent.click(screen.getByText("Save version"));
    await waitFor(() => expect(posts()).toEqual([expect.objectContaining({
      body: { definition: { name: "greeter", instruction: "Greet warmly.\nBe brief.\n", limits: { steps: 3 } }, note: "" },
    })]));
  });

  it("gets an earlier version again", async () => {
    serve({ "GET /v1/agents/greeter": AGENT, "GET /v1/models": { data: [] }, "GET /v1/agents/greeter/versions": { data: [AGENT, { ...AGENT, version: 1 }] }, "POST /v1/agents/greeter/restore": { ...AGENT, version: 3 } });
    show(<AgentView name="greeter" />);
    fireEvent.click(await screen.findByText("Versions"));
    fireEvent.click(await screen.findByLabelText("Restore version 1"));
    await waitFor(() => expect(posts()).toMatchObject([{ path: "/v1/agents/greeter/restore", body: { version: 1 } }]));
  });

  it("is read and not changed with a key that lacks the scope", async () => {
    serve({ "GET /v1/agents/greeter": AGENT, "GET /v1/agents": { data: [AGENT] } });
    const { unmount } = show(<AgentView name="greeter" />, CHATS);
    expect((await screen.findByLabelText("Definition as YAML")).textContent).toContain("instruction: Greet.");
    expect(screen.queryByText("Versions")).toBeNull();
    unmount();
    show(<AgentList />, CHATS);
    await screen.findByText("Greets.");
    expect(screen.queryByText("New agent")).toBeNull();
  });

  it("is tried: steps, answer and run appear as they come", async () => {
    const frames = [
      { choices: [{ delta: { notices: [{ code: "tool_call", text: "look_up(7)" }] } }] },
      { choices: [{ delta: { content: "It is " } }] },
      { choices: [{ delta: { content: "shipped." }, finish_reason: "stop" }] },
    ];
    const body = `${frames.map((each) => `data: ${JSON.stringify(each)}\n\n`).join("")}data: [DONE]\n\n`;
    serve({ "GET /v1/agents/greeter": { ...AGENT, source: "module", definition: null }, "POST /v1/chat/completions": () => new Response(body, { headers: { "x-mainspring-run": "run_1" } }) });
    show(<AgentView name="greeter" />);
    fireEvent.click(await screen.findByText("Try it"));
    fireEvent.change(screen.getByLabelText("Question"), { target: { value: "Where is it?" } });
    fireEvent.submit(screen.getByLabelText("Question").closest("form")!);
    await screen.findByText("It is shipped.");
    expect(screen.getByText("look_up(7)")).toBeTruthy();
    expect((await screen.findByText("Open its run")).getAttribute("href")).toBe("/console/runs/run_1");
  });
});

describe("a field in JSON", () => {
  const text = JSON.stringify({ note: "tools: {", tools: ["a", { tools: { collection: "x" } }], limits: { steps: 0 } }, null, 2);

  it.each([["tools", 3], ["tools.1", 5], ["tools.1.tools.collection", 7], ["limits.steps", 12], ["tools.9", 3]])("%s is found", (path, line) => {
    expect(lineOf(text, path)).toBe(line);
  });

  it("is nowhere in what is no JSON", () => {
    expect(lineOf('{"a"', "a.b")).toBeUndefined();
    expect(lineOf(text, "nowhere")).toBeUndefined();
    expect(problem("[]")).toBe("A definition must be an object.");
  });
});
