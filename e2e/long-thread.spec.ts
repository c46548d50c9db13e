import { expect, test } from "./fixtures.ts";

const THREAD_ID = "0192f0c1-2f4e-7cc3-b1aa-6a3f5d1e9c02";
const AT = "2030-01-01T00:00:00.000Z";

/** Ten consecutive messages, served in pages of four. */
const MESSAGES = Array.from({ length: 10 }, (_, n) => ({
  id: `0192f0c1-0000-7000-8000-00000000000${n}`,
  parentId: n === 0 ? null : `0192f0c1-0000-7000-8000-00000000000${n - 1}`,
  role: n % 2 === 0 ? "user" : "assistant",
  content: `Message ${n}`,
  jobId: null,
  usage: null,
  createdAt: AT,
}));

test("the button loads the older messages of a long conversation", async ({ page }) => {
  await page.route("**/api/trpc/threads.get?*", async (route) => {
    const input = JSON.parse(new URL(route.request().url()).searchParams.get("input") ?? "{}") as { cursor?: string };
    const end = Number(input.cursor ?? MESSAGES.length);
    const start = Math.max(0, end - 4);
    const data = {
      threadId: THREAD_ID,
      decisionSetId: THREAD_ID,
      title: "Long",
      graph: null,
      createdAt: AT,
      updatedAt: AT,
      currentVersion: 0,
      jobs: [],
      messages: MESSAGES.slice(start, end),
      olderCursor: start === 0 ? null : String(start),
    };
    await route.fulfill({ json: { result: { data } } });
  });
  await page.goto(`/threads/${THREAD_ID}`);
  const shown = page.getByRole("list", { name: "Conversation" }).getByText(/^Message \d$/);
  const older = page.getByRole("button", { name: "Show older messages" });
  await expect(shown).toHaveText(["Message 6", "Message 7", "Message 8", "Message 9"]);
  await older.click();
  await expect(shown).toHaveCount(8);
  await older.click();
  await expect(shown).toHaveText(MESSAGES.map(({ content }) => content));
  await expect(older).toBeHidden();
});
