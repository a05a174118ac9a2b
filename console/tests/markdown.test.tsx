import { renderToStaticMarkup } from "react-dom/server";
import { describe, expect, it } from "vitest";
import { Markdown, words } from "../src/lib/markdown";

const render = (text: string, cites?: Set<number>): string =>
  renderToStaticMarkup(<Markdown text={text} cites={cites} mark={(number) => <button>{number}</button>} />);

describe("markdown", () => {
  it("is rendered", () => {
    expect(render("# A\n\n**b** and `c`\n\n1. x\n2. y")).toBe(
      "<h3>A</h3><p><strong>b</strong> and <code>c</code></p><ol start=\"1\"><li>x</li><li>y</li></ol>",
    );
    expect(render("|a|b|\n|-|-|\n|1|2|")).toContain("<td>2</td>");
  });

  it("has marks where citations are, not in code", () => {
    expect(render("Yes [1].", new Set([1]))).toBe("<p>Yes <button>1</button>.</p>");
    expect(render("`a[1]`", new Set([1]))).toBe("<p><code>a[1]</code></p>");
  });

  it.each([
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "a <b onclick=alert(1)>b</b>",
    "<iframe src='//evil'></iframe>",
    "<style>body{display:none}</style>",
    "<svg/onload=alert(1)>",
  ])("shows HTML as text: %s", (text) => {
    expect(render(text).replace(/<\/?p>/g, "")).not.toMatch(/<(?!br)/);
  });

  it.each(["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "/v1/keys", "file:///etc"])(
    "makes no link of %s",
    (href) => {
      expect(render(`[x](${href})`)).not.toContain("href");
      expect(render(`<${href}>`)).not.toContain("href=\"javascript");
    },
  );

  it("opens links elsewhere, without telling where from", () => {
    expect(render("[x](https://example.com)")).toContain('rel="noopener noreferrer nofollow"');
  });

  it("loads no picture", () => {
    const made = render("![secret](https://evil.example/?q=1)");
    expect(made).not.toContain("<img");
    expect(made).toContain("picture: secret");
  });

  it("shows entities as the characters that they are", () => {
    expect(render("a &lt; b &amp;&amp; c")).toBe("<p>a &lt; b &amp;&amp; c</p>");
  });
});

describe("the words of Markdown", () => {
  it.each([
    ["**Everybody** has [30 days](https://x.example/a) of `leave`.", "Everybody has 30 days of leave."],
    ["## Hotels\n\n- one\n- _two_", "Hotels one; two"],
    ["| C | Anywhere else | **£104** |", "C · Anywhere else · £104"],
    ["| Tier | Limit |\n|---|---|\n| A | £172 |", "Tier · Limit; A · £172"],
    ["2 * 3 < 7 & snake_case_name", "2 * 3 < 7 & snake_case_name"],
    ["```\nls -l\n```", "ls -l"],
    ["", ""],
  ])("are %s", (text, said) => {
    expect(words(text)).toBe(said);
  });
});
