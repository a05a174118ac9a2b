// What keys are called, by their ids; empty until it is known, and where the key may not ask.
import { get } from "../api/client";
import type { Key, List } from "../api/types";
import { useResource } from "./resource";

const NONE: ReadonlyMap<string, string> = new Map();

export function useKeyNames(): ReadonlyMap<string, string> {
  const names = useResource("key names", async (signal) => {
    const found = await get<List<Key>>("/v1/keys", signal);
    return new Map(found.data.map((key) => [key.id, key.name]));
  });
  return names.data ?? NONE;
}
