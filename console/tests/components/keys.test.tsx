// @vitest-environment jsdom
import { fireEvent, screen, waitFor } from "@testing-library/react";
import { expect, it } from "vitest";
import { KeyTable } from "../../src/pages/settings/keys";
import SettingsPage from "../../src/pages/settings/page";
import { ADMIN, calls, serve, show } from "./bench";

const KEY = { id: "key_2", name: "nightly", hint: "ms-ab", scopes: ["admin"], groups: [], tier: "", status: "active", created_at: 1, expires_at: null, last_used_at: null };

it("a key that made others is revoked once it is said what becomes of these", async () => {
  const refused = (): Response => new Response(JSON.stringify({ error: { message: "it made 2 keys that still work", code: "conflict", param: "children" } }), { status: 409 });
  serve({
    "GET /v1/keys": { data: [KEY, { ...KEY, id: "key_3", name: "child", parent: "key_2" }] },
    "DELETE /v1/keys/key_2": refused,
    "DELETE /v1/keys/key_2?children=revoke": { revoked: true, revoked_children: ["key_3", "key_4"] },
  });
  show(<KeyTable />);
  fireEvent.click(await screen.findByLabelText("Revoke nightly"));
  expect(screen.getByText("made by nightly")).toBeTruthy();
  fireEvent.click(screen.getByRole("button", { name: "Revoke" }));
  await screen.findByText("It made 2 keys that still work.");
  fireEvent.click(screen.getByLabelText(/revoked too/));
  fireEvent.click(screen.getByRole("button", { name: "Revoke" }));
  await waitFor(() => expect(calls.some((call) => call.path === "/v1/keys/key_2?children=revoke")).toBe(true));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
});

it("a new key gets groups, a tier and a budget", async () => {
  serve({
    "GET /v1/keys": { data: [] },
    "GET /v1/limits": { default: {}, tiers: { gold: {} }, max_output_tokens: 1, default_output_tokens: 1 },
    "POST /v1/keys": { ...KEY, secret: "ms-abcdef" },
    "POST /v1/budgets": { id: "b" },
  });
  show(<KeyTable />, { ...ADMIN, groups: ["board"] });
  fireEvent.click(await screen.findByText("New key"));
  fireEvent.change(screen.getByLabelText("Name"), { target: { value: "nightly" } });
  fireEvent.click(screen.getByLabelText("board"));
  fireEvent.change(await screen.findByLabelText("Tier"), { target: { value: "gold" } });
  fireEvent.change(screen.getByLabelText(/Budget/), { target: { value: "20" } });
  fireEvent.click(screen.getByText("Create key"));
  await screen.findByText("ms-abcdef");
  expect(calls.find((call) => call.path === "/v1/keys" && call.method === "POST")!.body).toMatchObject({ groups: ["board"], tier: "gold" });
  expect(calls.find((call) => call.path === "/v1/budgets")!.body).toMatchObject({ scope: "key", subject: "key_2", limit_usd: "20", hard: true });
});

it("limits of the tenant are shown with what is used of them", async () => {
  history.replaceState(null, "", "/console/settings/limits");
  const quota = (name: string, what: string, limit: number | null, used: number | null): object => ({ name, what, limit, used });
  serve({
    "GET /v1/limits": { default: { requests_per_minute: 0, tokens_per_minute: 0, requests_per_day: 0 }, tiers: {}, max_output_tokens: 1, default_output_tokens: 1 },
    "GET /v1/limits/tenant": { tenant: "acme", data: [quota("files", "files", 100, 25), quota("file_bytes", "bytes of files", null, 2_000_000)] },
  });
  show(<SettingsPage />);
  await screen.findByText("All keys of acme together");
  expect(screen.getByText("files").closest("tr")!.textContent).toBe("files2510025 %");
  expect(screen.getByText("bytes of files").closest("tr")!.textContent).toBe("bytes of files2.0 MBno limit".replace("2.0", "2"));
});
