import type { Page } from "playwright/test";
import { expect, test } from "./fixtures.ts";

/** Markup that a manipulated model may return. */
const HOSTILE = [
  "# Hostile",
  '<script>document.title = "taken"</script>',
  '<img src="https://tracker.example/a.png" onerror="document.title = \'taken\'">',
  '<iframe src="https://tracker.example/frame"></iframe>',
  "[press](javascript:document.title='taken')",
  "[data](data:text/html,<script>1</script>)",
  "![remote](https://tracker.example/b.png)",
  "![](//tracker.example/c.png)",
  "[![badge](https://tracker.example/d.png)](https://docs.example/)",
].join("\n\n");

/** Records the violations of the policy and the requests to other hosts. */
async function watch(page: Page): Promise<{ violations: string[]; foreign: string[] }> {
  const seen = { violations: [] as string[], foreign: [] as string[] };
  await page.exposeFunction("report", (text: string) => seen.violations.push(text));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
      (window as unknown as { report: (text: string) => void }).report(`${violatedDirective} ${blockedURI}`);
    });
  });
  page.on("request", (request) => {
    if (!["127.0.0.1", "localhost"].includes(new URL(request.url()).hostname)) seen.foreign.push(request.url());
  });
  return seen;
}

async function seedThread(page: Page): Promise<string> {
  const messages = [
    { role: "user", content: "Show me something hostile" },
    { role: "assistant", content: HOSTILE },
    { role: "user", content: "Detect card fraud" },
  ];
  const answer = await page.request.post("/api/chat", { data: { messages } });
  return ((await answer.json()) as { thread_id: string }).thread_id;
}

test("every page, even with a hostile reply, keeps to the policy and requests no other host", async ({ page }) => {
  const seen = await watch(page);
  const threadId = await seedThread(page);
  await page.goto("/");
  await expect(page.getByLabel("Message")).toBeVisible();
  await page.goto(`/threads/${threadId}`);
  const reply = page.getByRole("article", { name: "Reply" }).first();
  await expect(reply.getByRole("heading", { name: "Hostile" })).toBeVisible();
  for (const name of ["remote", "//tracker.example/c.png"]) {
    const image = reply.getByRole("link", { name });
    await expect(image).toHaveAttribute("target", "_blank");
    await expect(image).toHaveAttribute("rel", "noopener noreferrer");
  }
  await expect(reply.getByRole("link", { name: "badge" })).toHaveAttribute("href", "https://docs.example/");
  await expect(reply.locator("img, iframe, script")).toHaveCount(0);
  await expect(reply.getByText("press", { exact: true })).toHaveAttribute("href", "");
  expect(await page.title()).toBe("Threadmill");
  for (const path of ["/jobs", "/workers", "/schedules"]) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  }
  // A Radix dialog adds a style element that stops the page from scrolling.
  await page.setViewportSize({ width: 400, height: 800 });
  await page.goto("/");
  await page.getByRole("button", { name: "Threads" }).click();
  await expect(page.getByRole("dialog")).toBeVisible();
  expect(seen).toEqual({ violations: [], foreign: [] });
});

test.describe("the content security policy", () => {
  test.use({ expectedErrors: [/Content Security Policy/i] });

  test("blocks inline scripts, and images and connections of other hosts", async ({ page }) => {
    const seen = await watch(page);
    await page.goto("/");
    await page.evaluate(() => {
      const script = document.createElement("script");
      script.textContent = 'document.title = "taken"';
      document.body.append(script);
      const image = document.createElement("img");
      image.src = "https://tracker.example/a.png";
      document.body.append(image);
      return fetch("https://tracker.example/b").catch(() => undefined);
    });
    await expect
      .poll(() => seen.violations.toSorted())
      .toEqual([
        "connect-src https://tracker.example/b",
        "img-src https://tracker.example/a.png",
        "script-src-elem inline",
      ]);
    expect(await page.title()).toBe("Threadmill");
  });
});

test.describe("the theme", () => {
  test.use({ expectedErrors: [/ERR_FAILED/] });

  test("is applied before the page's main script runs", async ({ page }) => {
    await page.goto("/");
    await page.evaluate(() => localStorage.setItem("threadmill.theme", "dark"));
    await page.route("**/assets/*.js", async (route) => route.abort());
    await page.goto("/");
    await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  });
});

test("the page's files are compressed", async ({ page }) => {
  const sizes = new Map<string, number>();
  page.on("requestfinished", async (request) => {
    const type = request.resourceType();
    if (type !== "script" && type !== "stylesheet") return;
    const { responseBodySize } = await request.sizes();
    sizes.set(request.url(), responseBodySize);
  });
  await page.goto("/");
  await expect.poll(() => sizes.size).toBeGreaterThanOrEqual(3);
  const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  expect(bytes).toBeLessThan(260_000);
});
