// violates: eslint/no-console
export const say = () => console.log("x");
