import { execFileSync } from "node:child_process";
import type { Page } from "playwright/test";
import { ask, call, expect, test } from "./fixtures.ts";

const replies = (page: Page) => page.getByRole("article", { name: "Reply" });

test("a message gets a reply, which survives a reload, and its thread is listed", async ({ page, say }) => {
  await page.goto("/");
  await say("Detect card fraud at 2,000 transactions per second within 50 ms");
  await expect(page).toHaveURL(/\/threads\/[0-9a-f-]{36}$/);
  await expect(replies(page)).toContainText(/fraud/i);
  await page.reload();
  await expect(replies(page)).toContainText(/fraud/i);
  await expect(
    page.getByRole("navigation", { name: "Threads" }).getByRole("link", { name: /Detect card fraud/ }),
  ).toBeVisible();
});

test("the reply depends on the message, and a second message continues the thread", async ({ page, say }) => {
  await page.goto("/");
  await say("Forecast demand for 20,000 products, nightly");
  await expect(replies(page)).toContainText(/forecast/i);
  const first = await replies(page).innerText();
  await say("What if it has to run on our own servers, under $2,000 a month?");
  await expect(replies(page)).toHaveCount(2);
  await page.goto("/");
  await say("Transcribe call recordings in three languages");
  await expect(replies(page)).toContainText(/speech|recogni|transcri/i);
  expect(await replies(page).innerText()).not.toBe(first);
});

test("Enter sends a message, Shift+Enter adds a line, and a too long message cannot be sent", async ({ page }) => {
  await page.goto("/");
  const box = page.getByLabel("Message");
  await expect(box).toBeFocused();
  await page.keyboard.type("Rank search results");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("for a shop");
  await page.keyboard.press("Enter");
  await expect(replies(page)).toHaveCount(1);
  const sent = page
    .getByRole("list", { name: "Conversation" })
    .getByText("Rank search results\nfor a shop", { exact: true });
  await expect(sent).toBeVisible();
  await box.fill("x".repeat(32_001));
  await expect(page.getByText("32,001 of 32,000 characters")).toBeVisible();
  await expect(page.getByRole("button", { name: "Send", exact: true })).toBeDisabled();
});

test("a message in a paused queue waits, survives a reload, and is answered after the queue resumes", async ({
  page,
  say,
}) => {
  await page.goto("/");
  await say("Predict churn");
  await expect(replies(page)).toHaveCount(1);
  await call(page, "queues.pause", { queue: "default" });
  await say("Make it cheaper, under $500 a month");
  await expect(page.getByText("Queued, waiting for a worker")).toBeVisible();
  await page.reload();
  await expect(page.getByText("Queued, waiting for a worker")).toBeVisible();
  await call(page, "queues.resume", { queue: "default" });
  await expect(replies(page)).toHaveCount(2);
});

test("a queued message can be stopped and retried", async ({ page, say }) => {
  await page.goto("/");
  await say("Predict prices of flats");
  await expect(replies(page)).toHaveCount(1);
  await call(page, "queues.pause", { queue: "default" });
  await say("And the risks?");
  await page.getByRole("button", { name: "Stop" }).click();
  await expect(page.getByText("Stopped before there was a reply.")).toBeVisible();
  await call(page, "queues.resume", { queue: "default" });
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(replies(page)).toHaveCount(2);
});

test("a draft stays with its thread", async ({ page, say }) => {
  await page.goto("/");
  await say("Detect defects on photos of bolts");
  await expect(replies(page)).toHaveCount(1);
  await page.getByLabel("Message").fill("not sent yet");
  await page.getByRole("link", { name: "New chat" }).click();
  await expect(page.getByLabel("Message")).toHaveValue("");
  await page.getByRole("link", { name: /Detect defects/ }).click();
  await expect(page.getByLabel("Message")).toHaveValue("not sent yet");
});

test("a message sent during a restart of the API can be retried and becomes one job", async ({
  page,
  say,
  stack,
  expectedErrors,
}) => {
  expectedErrors.push(/Failed to load resource|ERR_|EventSource/);
  await page.goto("/");
  await say("Recommend songs");
  await expect(replies(page)).toHaveCount(1);
  process.kill(findChild(stack.pid, "server/main"), "SIGKILL");
  await say("Only new ones");
  const retry = page.getByRole("button", { name: "Retry" });
  // The launcher may restart the API before the message is sent.
  await expect(retry.or(replies(page).nth(1))).toBeVisible();
  await expect.poll(async () => (await page.request.get("/readyz").catch(() => null))?.status() ?? 0).toBe(200);
  if (await retry.isVisible()) await retry.click();
  await expect(replies(page)).toHaveCount(2);
  const threadId = new URL(page.url()).pathname.split("/").at(-1);
  const { messages } = await ask<{ messages: { role: string; content: string }[] }>(page, "threads.get", { threadId });
  const asked = messages.filter((message) => message.role === "user").map((message) => message.content);
  expect(asked).toEqual(["Recommend songs", "Only new ones"]);
});

test("an unsent message does not hide its conversation, even after a reload", async ({ page, say, expectedErrors }) => {
  expectedErrors.push(/Failed to load resource|ERR_/);
  await page.goto("/");
  await say("Recommend songs");
  await expect(replies(page)).toHaveCount(1);
  await page.route("**/api/trpc/chat.submit*", async (route) => route.abort());
  await say("Only new ones");
  await expect(page.getByRole("button", { name: "Retry" })).toBeVisible();
  await page.reload();
  await expect(page.getByText("Only new ones")).toBeVisible();
  await expect(replies(page)).toHaveCount(1);
});

test("a message is answered after its worker was killed", async ({ page, say, stack }) => {
  await page.goto("/");
  process.kill(findChild(stack.pid, "worker/main"), "SIGKILL");
  await say("Summarise legal documents with sources");
  await expect(replies(page)).toContainText(/./);
});

test("an unknown address shows an error page", async ({ page, expectedErrors }) => {
  expectedErrors.push(/40[04]/);
  await page.goto("/nowhere");
  await expect(page.getByRole("heading", { name: "Page not found" })).toBeVisible();
  await page.goto("/threads/00000000-0000-7000-8000-000000000000");
  await expect(page.getByRole("heading", { name: "No such conversation" })).toBeVisible();
  await page.goto("/threads/nope");
  await expect(page.getByRole("heading", { name: "No such conversation" })).toBeVisible();
  await page.goto("/jobs/nope");
  await expect(page.getByRole("heading", { name: "No such job" })).toBeVisible();
});

/** Finds the process id of a child of the launcher. */
function findChild(launcherPid: number, module: string): number {
  const lines = execFileSync("ps", ["-eo", "pid=,ppid=,args="], { encoding: "utf8" }).split("\n");
  const found = lines
    .map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line))
    .find((match) => Number(match?.[2]) === launcherPid && match?.[3]?.includes(module));
  if (!found) throw new Error(`no ${module} runs under ${launcherPid}`);
  return Number(found[1]);
}
