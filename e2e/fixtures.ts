import { test as base } from "playwright/test";
import type { Page } from "playwright/test";
import { startStack } from "./stack.ts";
import type { Stack } from "./stack.ts";

export { expect } from "playwright/test";

interface TestParts {
  /** Console errors that a test causes on purpose. */
  expectedErrors: RegExp[];
  /** Sends a message from the page. */
  say: (content: string) => Promise<void>;
}
interface FileParts {
  stackEnv: Record<string, string>;
  stack: Stack;
}

/** The tests of a file share one running product. An error in the page's console fails the test. */
export const test = base.extend<TestParts, FileParts>({
  stackEnv: [{}, { option: true, scope: "worker" }],
  stack: [
    async ({ stackEnv }, use) => {
      const stack = await startStack(stackEnv);
      await use(stack);
      const code = await stack.stop();
      if (code !== 0) throw new Error(`npm start exited with ${code} after SIGTERM`);
    },
    { scope: "worker", timeout: 120_000 },
  ],
  baseURL: async ({ stack }, use) => use(stack.url),
  expectedErrors: async ({}, use) => use([]),
  page: async ({ page, expectedErrors }, use) => {
    const errors: string[] = [];
    page.on("pageerror", (error) => errors.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") errors.push(message.text());
    });
    await use(page);
    const unexpected = errors.filter((error) => !expectedErrors.some((expected) => expected.test(error)));
    if (unexpected.length > 0) throw new Error(`the page's console shows errors:\n${unexpected.join("\n")}`);
  },
  say: async ({ page }, use) =>
    use(async (content) => {
      await page.getByLabel("Message").fill(content);
      await page.getByRole("button", { name: "Send", exact: true }).click();
    }),
});

/** Calls a mutation of the tRPC API. */
export async function call<T>(page: Page, path: string, input: unknown): Promise<T> {
  const response = await page.request.post(`/api/trpc/${path}`, { data: input });
  const body = (await response.json()) as { result: { data: T } };
  return body.result.data;
}

/** Calls a query of the tRPC API. */
export async function ask<T>(page: Page, path: string, input: unknown): Promise<T> {
  const response = await page.request.get(`/api/trpc/${path}?input=${encodeURIComponent(JSON.stringify(input))}`);
  const body = (await response.json()) as { result: { data: T } };
  return body.result.data;
}
