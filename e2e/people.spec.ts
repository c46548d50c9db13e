import { fileURLToPath } from "node:url";
import { ask, expect, test } from "./fixtures.ts";

test.use({
  stackEnv: { LANGGRAPH_CONFIG: fileURLToPath(new URL("../examples/langgraph.json", import.meta.url)) },
});

test("a custom graph asks before it orders, and continues after the answer in the page", async ({ page, say }) => {
  await page.goto("/");
  await page.getByLabel("Graph").selectOption("purchase");
  await say("2 GPUs please");
  const question = page.getByRole("form", { name: "Question" });
  await expect(question).toContainText("Order 2 × gpu for $3,798?");
  const jobs = await ask<{ jobs: { status: string; jobType: string; workerId: string | null }[] }>(
    page,
    "jobs.list",
    {},
  );
  expect(jobs.jobs[0]).toMatchObject({ status: "waiting", jobType: "graph:purchase", workerId: null });
  await page.reload();
  await question.getByLabel("A note for the supplier (optional)").fill("by Friday");
  await question.getByRole("button", { name: "Approve" }).click();
  await expect(page.getByRole("article", { name: "Reply" })).toContainText(
    "Ordered 2 × gpu. Note to the supplier: by Friday",
  );
  // The thread keeps its graph.
  await say("and 3 disks");
  await expect(question).toContainText("Order 3 × disk for $720?");
  await question.getByRole("button", { name: "Decline" }).click();
  await expect(page.getByRole("article", { name: "Reply" }).nth(1)).toContainText("Nothing was ordered.");
});

test("an edited message gets a new reply, and both versions can be read", async ({ page, say }) => {
  await page.goto("/");
  const replies = page.getByRole("article", { name: "Reply" });
  await say("Recommend films to our users");
  await expect(replies).toHaveCount(1);
  await say("What are the risks?");
  await expect(replies).toHaveCount(2);
  await page.getByText("Recommend films to our users").last().hover();
  await page.getByRole("button", { name: "Edit", exact: true }).first().click();
  await page.getByLabel("New version", { exact: true }).fill("Detect card fraud");
  await page.getByRole("button", { name: "Send as a new version" }).click();
  await expect(replies).toHaveCount(1);
  await expect(replies).toContainText(/fraud/i);
  const versions = page.getByRole("group", { name: "Versions" });
  await expect(versions).toContainText("2/2");
  await versions.getByRole("button", { name: "Older version" }).click();
  await expect(replies).toHaveCount(2);
  await expect(page.getByText("What are the risks?")).toBeVisible();
  // A message sent from the older version continues that version.
  await say("Within 20 ms");
  await expect(replies).toHaveCount(3);
  await expect(replies.last()).toContainText("20 ms");
});
