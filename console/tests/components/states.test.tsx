// @vitest-environment jsdom
import { screen } from "@testing-library/react";
import { expect, it } from "vitest";
import { ApiError } from "../../src/api/client";
import { Field } from "../../src/ui/controls";
import { Failed, Note } from "../../src/ui/states";
import { show } from "./bench";

const SAID = "The API key is unknown. `mainspring keys create NAME` makes one, `x` too, and a ` is left as it is";

it("what the server says has its commands set as code, wherever it stands", () => {
  const { container } = show(
    <>
      <Failed error={new ApiError(SAID, 401, "invalid_api_key")} />
      <Note tone="bad">{SAID}</Note>
      <Field label="Key" error={SAID}>{(ids) => <input {...ids} />}</Field>
    </>,
  );
  expect(screen.getAllByText("mainspring keys create NAME").map((each) => each.tagName)).toEqual(["CODE", "CODE", "CODE"]);
  expect([...container.querySelectorAll("code")].map((each) => each.textContent)).toEqual(Array(3).fill(["mainspring keys create NAME", "x"]).flat());
  expect(container.textContent).toContain("a ` is left as it is");
});
