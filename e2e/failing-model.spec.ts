import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { call, expect, test } from "./fixtures.ts";

test.use({
  stackEnv: [
    async ({}, use) => {
      // A model server that always fails.
      const server = createServer((_request, response) => {
        response.writeHead(500, { "content-type": "application/json" });
        response.end(JSON.stringify({ error: { message: "the model fell over", type: "server_error" } }));
      }).listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      await use({
        MODEL: "openai:test",
        OPENAI_API_KEY: "sk-not-a-real-key",
        OPENAI_BASE_URL: `http://127.0.0.1:${port}/v1`,
        RETRY_BASE_MS: "10",
      });
      server.closeAllConnections();
      server.close();
    },
    { scope: "worker" },
  ],
});

test("a failed job shows its error and its retries in the table and in its thread", async ({ page }) => {
  const { jobId, threadId } = await call<{ jobId: string; threadId: string }>(page, "chat.submit", {
    content: "Predict churn",
    maxRetries: 1,
  });
  await page.goto("/jobs");
  const row = page.getByRole("row").filter({ hasText: jobId.slice(-8) });
  await expect(row).toContainText("failed");
  await expect(row).toContainText("1/1");
  await expect(row).toContainText("the model fell over");
  await row.getByRole("link").click();
  const attempts = page.getByRole("list", { name: "Attempts" }).getByRole("listitem");
  await expect(attempts).toHaveCount(2);
  await expect(attempts.nth(1)).toContainText("the model fell over");
  await page.goto(`/threads/${threadId}`);
  await expect(page.getByRole("alert")).toContainText("the model fell over");
  await expect(page.getByRole("button", { name: "Try again" })).toBeVisible();
  expect(await page.content()).not.toContain("sk-not-a-real-key");
});
