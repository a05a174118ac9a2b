// @vitest-environment jsdom
import { screen } from "@testing-library/react";
import { expect, it } from "vitest";
import { CalibrationView } from "../../src/pages/review/calibration";
import { refusal, serve, show } from "./bench";

it("what nobody has labelled yet is no failure", async () => {
  serve({
    "GET /v1/review/queues": { data: [{ id: "q1", name: "looked-at", version: 1, items: {}, strata: {}, definition: {} }] },
    "GET /v1/review/queues/looked-at/estimate": () => refusal(400, "no stratum has two labels"),
    "GET /v1/review/queues/looked-at/threshold": () => refusal(400, "no labelled answer has a judge's score"),
  });
  show(<CalibrationView />);
  await screen.findByText("Too few labels yet");
  await screen.findByText("No labelled answer was judged");
  expect(screen.queryByText("This did not work")).toBeNull();
});
