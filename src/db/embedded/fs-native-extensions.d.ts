declare module "fs-native-extensions" {
  /**
   * Tries to lock a file that is open for writing; false when another open of the file holds the lock.
   * @throws an error with a `code` when the filesystem has no locks.
   */
  export function tryLock(fd: number): boolean;
}
