import { request } from "node:http";
import { expect, test } from "./fixtures.ts";

const body = { messages: [{ role: "user", content: "Detect card fraud within 50 ms" }] };

test("POST /api/chat waits and answers with the conversation", async ({ request: http, stack }) => {
  const answer = await http.post("/api/chat", { data: body });
  expect(answer.status()).toBe(200);
  const { messages, thread_id: threadId } = (await answer.json()) as {
    messages: { role: string; content: string }[];
    thread_id: string;
  };
  expect(messages.map((message) => message.role)).toEqual(["user", "assistant"]);
  expect(messages[1]?.content).toMatch(/fraud/i);
  const again = await http.post("/api/chat", {
    data: { messages: [{ role: "user", content: "What are the risks?" }], thread_id: threadId },
  });
  expect(((await again.json()) as { thread_id: string }).thread_id).toBe(threadId);
  expect(stack.url).toMatch(/^http:\/\/127\.0\.0\.1:/);
});

test("POST /api/chat/async answers at once, and its events reach the end", async ({ request: http }) => {
  const answer = await http.post("/api/chat/async", { data: body });
  const job = (await answer.json()) as Record<string, string>;
  expect(Object.keys(job).toSorted((one, other) => one.localeCompare(other))).toEqual([
    "decision_set_id",
    "job_id",
    "status",
    "thread_id",
  ]);
  expect(job["status"]).toBe("queued");
  const events = await http.get(`/api/jobs/${job["job_id"]}/events`);
  expect(events.headers()["content-type"]).toContain("text/event-stream");
  expect(await events.text()).toMatch(
    /^id: 1\nevent: started\n[\s\S]*event: token\n[\s\S]*event: completed\ndata: .*\n\n$/,
  );
  const status = (await (await http.get(`/api/jobs/${job["job_id"]}/status`)).json()) as Record<string, unknown>;
  expect(status).toMatchObject({
    job_id: job["job_id"],
    status: "completed",
    thread_id: job["thread_id"],
    retry_count: 0,
  });
});

test("an unknown job is 404 Job not found", async ({ request: http }) => {
  const answer = await http.get("/api/jobs/00000000-0000-7000-8000-000000000000/status");
  expect(answer.status()).toBe(404);
  expect(await answer.json()).toEqual({ detail: "Job not found" });
});

for (const headers of [{ host: "evil.example" }, { origin: "http://evil.example" }]) {
  test(`a request with a foreign ${Object.keys(headers).join("")} is refused`, async ({ stack }) => {
    const status = await new Promise((resolve, reject) => {
      request(`${stack.url}/api/trpc/jobs.counts`, { headers }, (response) => resolve(response.resume().statusCode))
        .on("error", reject)
        .end();
    });
    expect(status).toBe(403);
  });
}

test("/metrics has the database's figures", async ({ request: http }) => {
  const figures = await (await http.get("/metrics")).text();
  expect(figures).toContain("threadmill_database_up 1");
  expect(figures).toMatch(/^threadmill_jobs\{status="completed"\} \d+$/m);
});
