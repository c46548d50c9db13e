// violates: import/no-mutable-exports
export let count = 0;
count += 1;
