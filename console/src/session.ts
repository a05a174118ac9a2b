// Who is signed in, for pages that show more to some keys than to others.
import { createContext, useContext } from "react";
import type { Me } from "./api/types";

export const Session = createContext<Me | null>(null);

export function useMe(): Me {
  return useContext(Session)!;
}
