import { startModelServer } from "../test/model-server.ts";
import { call, expect, test } from "./fixtures.ts";

test.use({
  stackEnv: [
    async ({}, use) => {
      const server = await startModelServer("openai");
      server.behave({ kind: "answer", texts: ["Take ", "two towers."] });
      await use({
        MODEL: "openai:m",
        MODEL_PRICE: "1000:2000",
        OPENAI_API_KEY: "sk-not-a-real-key",
        OPENAI_BASE_URL: server.url,
      });
      await server.close();
    },
    { scope: "worker" },
  ],
});

test("the tokens and the cost of a turn are shown beside its reply and for its job", async ({ page, say }) => {
  await page.goto("/");
  await say("Recommend films");
  const reply = page.getByRole("article", { name: "Reply" });
  await expect(reply).toContainText("Take two towers.");
  await expect(reply.getByText("18 tokens · $0.025")).toBeAttached();
  await page.reload();
  await reply.hover();
  await expect(reply.getByText("18 tokens · $0.025")).toBeVisible();

  await page.getByRole("link", { name: "Jobs" }).click();
  const row = page.getByRole("table", { name: "Jobs" }).getByRole("row").filter({ hasText: "ml_workflow" });
  await expect(row.getByRole("cell", { name: "18", exact: true })).toBeVisible();
  await expect(row.getByRole("cell", { name: "$0.025" })).toBeVisible();
  await row.getByRole("link").click();
  await expect(page.getByRole("definition").filter({ hasText: "11 in, 7 out" })).toBeVisible();
  await expect(page.getByRole("definition").filter({ hasText: "$0.025" })).toBeVisible();
  await expect(page.getByRole("list", { name: "Attempts" })).toContainText("18 tokens · $0.025");
});

test("a job without a model call shows neither tokens nor cost", async ({ page }) => {
  const { jobId } = await call<{ jobId: string }>(page, "chat.submit", { content: "hello", jobType: "no_such_type" });
  await page.goto("/jobs");
  const row = page
    .getByRole("table", { name: "Jobs" })
    .getByRole("row")
    .filter({ hasText: jobId.slice(-8) });
  await expect(row).toBeVisible();
  const head = page.getByRole("columnheader");
  for (const name of ["Tokens", "Cost"]) {
    const column = (await head.allTextContents()).indexOf(name);
    await expect(row.getByRole("cell").nth(column)).toHaveText("–");
  }
});
