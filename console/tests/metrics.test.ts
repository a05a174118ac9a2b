import { describe, expect, it } from "vitest";
import { parse, quantile, rate, sum, values } from "../src/lib/metrics";

const page = (low: number, high: number, requests: number): string => `# HELP x y
# TYPE mainspring_ttft_seconds histogram
mainspring_ttft_seconds_bucket{le="0.1",model="m"} ${low}
mainspring_ttft_seconds_bucket{le="0.5",model="m"} ${high}
mainspring_ttft_seconds_bucket{le="+Inf",model="m"} ${high}
mainspring_requests_total{code="ok",model="a \\"b\\""} ${requests}
mainspring_requests_total{code="x",model="m"} 1.0
process_open_fds 12
`;

describe("metrics", () => {
  const before = parse(page(0, 0, 5));
  const after = parse(page(10, 20, 25));

  it("are read with their labels", () => {
    expect(after.find((each) => each.labels.code === "ok")).toEqual({
      name: "mainspring_requests_total",
      labels: { code: "ok", model: 'a "b"' },
      value: 25,
    });
    expect(sum(after, "process_open_fds")).toBe(12);
    expect(values(after, "mainspring_requests_total", "code")).toEqual(["ok", "x"]);
  });

  it("give rates, and none below nothing", () => {
    expect(rate(before, after, 10, "mainspring_requests_total")).toBe(2);
    expect(rate(after, before, 10, "mainspring_requests_total")).toBe(0);
  });

  it("give quantiles of what came between, interpolated", () => {
    expect(quantile(before, after, "mainspring_ttft_seconds", 0.5)).toBeCloseTo(0.1);
    expect(quantile(before, after, "mainspring_ttft_seconds", 0.75)).toBeCloseTo(0.3);
    expect(quantile(after, after, "mainspring_ttft_seconds", 0.5)).toBeNull();
  });
});
