// How far a model is that cannot be asked yet.
import type { Coming } from "../api/types";

export function progress(model: Coming): string {
  if (model.state === "pulling") return `being pulled: ${model.stage}${model.total ? ` ${Math.floor((100 * model.done) / model.total)} %` : ""}`;
  if (model.state === "failed") return `could not be added: ${model.detail}`;
  return model.state === "loading" ? "being loaded" : "waits for its turn";
}
