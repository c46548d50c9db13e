import { call, expect, test } from "./fixtures.ts";

test("jobs are listed, filtered, searched and opened", async ({ page }) => {
  const { jobId } = await call<{ jobId: string }>(page, "chat.submit", {
    content: "Predict needle-in-haystack churn",
    priority: 7,
  });
  await call(page, "chat.submit", { content: "hello", jobType: "no_such_type" });
  await page.goto("/jobs");
  const table = page.getByRole("table", { name: "Jobs" });
  const row = table.getByRole("row").filter({ hasText: jobId.slice(-8) });
  await expect(row).toContainText("completed");
  await expect(row).toContainText("ml_workflow");
  await expect(row).toContainText("7");
  await expect(row).toContainText("0/3");
  const failed = table.getByRole("row").filter({ hasText: "no_such_type" });
  await expect(failed).toContainText("failed");
  await expect(failed).toContainText('Unknown job type "no_such_type"');

  await page.getByRole("button", { name: /^failed/ }).click();
  await expect(page).toHaveURL(/status=failed/);
  await expect(row).toBeHidden();
  await expect(failed).toBeVisible();
  await page.reload();
  await expect(failed).toBeVisible();
  await page.getByRole("button", { name: /^all/ }).click();
  await page.getByLabel("Search jobs").fill("needle-in-haystack");
  await expect(failed).toBeHidden();
  await expect(row).toBeVisible();

  await row.getByRole("link").click();
  await expect(page.getByRole("heading", { name: "ml_workflow" })).toBeVisible();
  await expect(page.getByRole("list", { name: "Attempts" })).toContainText("completed");
  await expect(page.getByRole("list", { name: "Events" })).toContainText("started");
  await expect(page.getByLabel("Payload")).toContainText("needle-in-haystack");
  await page.getByRole("link", { name: "Open the conversation" }).click();
  await expect(page.getByRole("article", { name: "Reply" })).toBeVisible();
});

test("a queued job is cancelled and retried from its page; the queue is paused and resumed", async ({ page }) => {
  await call(page, "queues.create", { queue: "default" });
  await page.goto("/jobs");
  await page.getByRole("button", { name: "Pause queue default" }).click();
  await expect(page.getByRole("button", { name: "Resume queue default" })).toBeVisible();
  const { jobId } = await call<{ jobId: string }>(page, "chat.submit", { content: "Predict churn" });
  await page.goto(`/jobs/${jobId}`);
  await page.getByRole("button", { name: "Cancel" }).click();
  await expect(page.getByRole("definition").filter({ hasText: "cancelled" })).toBeVisible();
  await page.getByRole("button", { name: "Retry" }).click();
  await expect(page.getByRole("definition").filter({ hasText: "queued" })).toBeVisible();
  await page.getByRole("link", { name: "Jobs" }).click();
  await page.getByRole("button", { name: "Resume queue default" }).click();
  await expect(page.getByRole("row").filter({ hasText: jobId.slice(-8) })).toContainText("completed");
});

test("the page of workers shows a live worker", async ({ page }) => {
  await page.goto("/workers");
  const row = page.getByRole("table", { name: "Workers" }).getByRole("row").nth(1);
  await expect(row).toContainText("active");
  await expect(row).toContainText("/10");
});

test("a schedule is created, paused, run and deleted; an invalid one is refused with the reason", async ({
  page,
  expectedErrors,
}) => {
  expectedErrors.push(/400/);
  await page.goto("/schedules");
  await page.getByRole("button", { name: "New schedule" }).click();
  const form = page.getByRole("form", { name: "New schedule" });
  await form.getByLabel("Name").fill("nightly");
  await form.getByLabel(/^Cron/).fill("61 * * * *");
  await form.getByLabel("Job type").fill("greet");
  await form.getByRole("button", { name: "Save" }).click();
  await expect(form.getByRole("alert")).toContainText("cron does not parse");
  await form.getByLabel(/^Cron/).fill("0 6 * * *");
  await form.getByRole("button", { name: "Save" }).click();
  await expect(form.getByRole("alert")).toContainText('"greet" is run by no worker: use export_thread');
  await form.getByLabel("Job type").fill("export_thread");
  await form.getByLabel(/^Payload/).fill(JSON.stringify({ threadId: crypto.randomUUID(), format: "json" }));
  await form.getByRole("button", { name: "Save" }).click();
  const row = page.getByRole("row").filter({ hasText: "nightly" });
  await expect(row).toContainText("0 6 * * *");
  await row.getByRole("button", { name: "Pause" }).click();
  await expect(row).toContainText("paused");
  await row.getByRole("button", { name: "Run now" }).click();
  await expect(row.getByRole("button", { name: "Enqueued" })).toBeVisible();
  await row.getByRole("button", { name: "Delete" }).click();
  await expect(page.getByRole("heading", { name: "No schedules" })).toBeVisible();
  await page.goto("/jobs");
  await expect(page.getByRole("row").filter({ hasText: "Thread not found" })).toContainText("export_thread");
});

test("no page scrolls sideways on a narrow screen, and the threads are in a drawer", async ({ page, say }) => {
  await page.setViewportSize({ width: 375, height: 800 });
  await page.goto("/");
  await say("Detect card fraud at 2,000 transactions per second within 50 ms, under $5,000 a month");
  await expect(page.getByRole("article", { name: "Reply" })).toBeVisible();
  const isWide = async () =>
    page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  expect(await isWide()).toBe(false);
  await page.getByRole("button", { name: "Threads" }).click();
  await expect(
    page
      .getByRole("dialog")
      .getByRole("link", { name: /Detect card fraud/ })
      .first(),
  ).toBeVisible();
  await page.keyboard.press("Escape");
  for (const path of ["/jobs", "/workers", "/schedules"]) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    expect(await isWide()).toBe(false);
  }
  await page.goto("/jobs");
  await page.getByRole("table").getByRole("link").first().click();
  await expect(page.getByRole("heading", { name: "Attempts" })).toBeVisible();
  expect(await isWide()).toBe(false);
});
