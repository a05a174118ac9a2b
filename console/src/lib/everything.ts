// Lists of the server, read page by page.
import { get } from "../api/client";
import type { List } from "../api/types";

export async function everything<T>(url: string, signal: AbortSignal): Promise<T[]> {
  const found: T[] = [];
  const more = url.includes("?") ? "&" : "?";
  let after = "";
  for (;;) {
    const page = await get<List<T>>(`${url}${more}limit=100${after}`, signal);
    found.push(...page.data);
    if (!page.has_more || !page.last_id) return found;
    after = `&after=${encodeURIComponent(page.last_id)}`;
  }
}
