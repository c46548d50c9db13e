// violates: typescript/no-misused-promises
export const start = (button: EventTarget) => button.addEventListener("x", async () => undefined);
export const bad = (flag: Promise<boolean>) => (flag ? 1 : 2);
